"""Recipes: complete projects that `genwright new` copies."""

import shutil
from pathlib import Path

from genwright.core.errors import SpecError, StorageError
from genwright.project.spec import SPEC_FILE

_PACKAGE = Path(__file__).resolve().parents[1]
# In a wheel the recipes lie inside the package, in a checkout at its top.
SHELVES = (_PACKAGE / "_recipes", _PACKAGE.parents[1] / "recipes")


def recipes() -> dict[str, Path]:
    """The shipped recipes by name."""
    found = {path.parent.name: path.parent for shelf in SHELVES for path in sorted(shelf.glob(f"*/{SPEC_FILE}"))}
    return dict(sorted(found.items()))


def new_project(recipe: str, target: Path, /) -> Path:
    """The folder of a new project: a copy of a shipped recipe, or of a folder that holds one.

    Raises:
        SpecError: no such recipe, or the target holds something already.
        StorageError: the target cannot be written.
    """
    source = recipes().get(recipe, Path(recipe))
    if not (source / SPEC_FILE).is_file():
        raise SpecError(
            f"no recipe '{recipe}' (shipped: {', '.join(recipes()) or 'none'}; or a folder with {SPEC_FILE})"
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise SpecError(f"{target} is there already and not empty", hint="choose another folder")
    try:
        ignore = shutil.ignore_patterns(".genwright", "__pycache__")
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignore, copy_function=shutil.copyfile)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error}") from error
    return target
