"""Commands that change a picture: style, restore."""

import argparse
from pathlib import Path
from typing import Any

from genwright.cli.output import Output
from genwright.core.errors import SpecError
from genwright.core.registry import load_reference
from genwright.project import Project


def style(arguments: argparse.Namespace, out: Output) -> int:
    """Draw a picture in the style of another one."""
    path = Path(arguments.out)
    files = (Path(arguments.content), Path(arguments.style), path)
    names = ("strength", "size", "seed") if arguments.system else ("strength", "size", "seed", "method", "steps")
    settings = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if arguments.system is None:
        drawn = load_reference("genwright.modalities.image.style.command:style_files", extra="style")(
            *files, **settings
        )
        title = f"style, {settings.get('method', 'arbitrary')}"
    else:
        system, title = _styler(arguments)
        drawn = load_reference("genwright.systems.style:style_with", extra="style")(system, *files, **settings)
    _, height, width = drawn.shape
    out.table([{"file": str(path), "height": height, "width": width}], title=title)
    return 0


def _styler(arguments: argparse.Namespace) -> tuple[Any, str]:
    for name in ("method", "steps"):
        if getattr(arguments, name) is not None:
            raise SpecError(f"--{name} and --system do not go together: a system has its own")
    project = Project.find(arguments.project)
    digest, _ = project.resolve_system(arguments.system)
    return project.system(digest), f"system {digest[:12]}"


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
