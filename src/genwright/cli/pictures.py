"""Commands that change a picture: style."""

import argparse
from pathlib import Path

from genwright.cli.output import Output
from genwright.core.registry import load_reference


def style(arguments: argparse.Namespace, out: Output) -> int:
    """Draw a picture in the style of another one."""
    path = Path(arguments.out)
    drawn = load_reference("genwright.modalities.image.style.command:style_files", extra="style")(
        Path(arguments.content),
        Path(arguments.style),
        path,
        method=arguments.method,
        strength=arguments.strength,
        size=arguments.size,
        steps=arguments.steps,
        seed=arguments.seed,
    )
    _, height, width = drawn.shape
    out.table([{"file": str(path), "height": height, "width": width}], title=f"style, {arguments.method}")
    return 0
