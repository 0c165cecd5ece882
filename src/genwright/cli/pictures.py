"""Commands that change a picture: style, restore."""

import argparse
from pathlib import Path

from genwright.cli.output import Output
from genwright.core.registry import load_reference
from genwright.project import Project


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


def restore(arguments: argparse.Namespace, out: Output) -> int:
    """Denoise, enlarge or complete a picture with a system of this project."""
    project = Project.find(arguments.project)
    digest, _ = project.resolve_system(arguments.system)
    path = Path(arguments.out)
    names = ("task", "noise", "scale", "condition", "guidance", "steps", "seed")
    restored = load_reference("genwright.systems.restore:restore_file", extra="image")(
        project.system(digest),
        {name: getattr(arguments, name) for name in names},
        image=Path(arguments.image),
        out=path,
    )
    _, height, width = restored.shape
    row = {"file": str(path), "task": arguments.task, "height": height, "width": width}
    out.table([row], title=f"system {digest[:12]}")
    return 0
