"""Genwright: a workbench for the whole life of a generative system."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genwright.project import Project

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(path: Any = ".", /) -> "Project":  # noqa: A001 (the documented name: genwright.open("DIR"))
    """The project in or above the folder `path`."""
    from genwright.project import Project

    return Project.find(path)
