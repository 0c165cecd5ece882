"""Paths of a project stay in it."""

from pathlib import Path, PurePosixPath

from genwright.core import DataError, SpecError


def inside(relative: str, fence: Path, *, source: str) -> Path:
    """The path below `fence`.

    Raises:
        SpecError: it steps out with `..`.
    """
    if ".." in PurePosixPath(relative).parts:
        raise SpecError(
            f"source '{source}' steps out of its folder with '..'; paths stay below {fence}",
            hint="move the data into the project, or write the absolute path to say that it is meant",
        )
    return fence / relative


def refuse_outside(path: Path, fence: Path | None, *, source: str | None = None) -> None:
    """Returns where `path` is below `fence` when all links are followed, or where there is no fence.

    Raises:
        DataError: a link leads out.
    """
    if fence is None:
        return
    target = path.resolve()
    if not target.is_relative_to(fence.resolve()):
        of = f" of source '{source}'" if source else ""
        raise DataError(
            f"{path}{of} is a link that leads out of {fence} (to {target})",
            hint="copy the file into the project, exclude it, or name its absolute path as a source of its own",
        )
