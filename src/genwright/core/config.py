"""The base of every Config, and validation errors a person can act on."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from genwright.core.errors import SpecError


class Config(BaseModel):
    """Frozen settings of one component; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @classmethod
    def parse(cls, data: Mapping[str, Any], *, where: str) -> Self:
        """The validated Config; `where` names the file and section for messages.

        Raises:
            SpecError: a key or value is wrong; the message names it and the near match.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise SpecError(*_explain(cls, error, where)) from None


def read_toml(path: Path, /) -> dict[str, Any]:
    """The table a TOML file holds.

    Raises:
        SpecError: it is missing, unreadable or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path} is not valid TOML: {error}") from None


def _explain(cls: type[BaseModel], error: ValidationError, where: str) -> tuple[str]:
    lines = []
    found = error.errors()
    for item in found:
        if item["type"] == "too_short" and any(_inside(other["loc"], item["loc"]) for other in found):
            continue  # pydantic counts what is wrong in a list as not there
        path = ".".join(str(part) for part in item["loc"])
        at = f"{where}.{path}" if path else where
        if item["type"] == "extra_forbidden":
            lines.append(f"{at}: unknown key{_suggest(cls, item['loc'])}")
        elif item["type"] == "missing":
            lines.append(f"{at}: missing; this key is required")
        else:
            # What a check of a whole section says names its fields; the section itself is long.
            got = (
                "" if item["type"] == "value_error" and isinstance(item["input"], dict) else f" (got {item['input']!r})"
            )
            lines.append(f"{at}: {item['msg'].removeprefix('Value error, ')}{got}")
    return ("\n".join(lines),)


def _inside(loc: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(loc) > len(outer) and loc[: len(outer)] == outer


def _suggest(cls: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    known = _known_keys(cls, loc[:-1])
    near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known keys: {', '.join(known)}" if known else ""


def _known_keys(cls: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] | None = cls
    for part in loc:
        if model is None or isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        model = _model_in(field.annotation) if field else None
    return sorted(model.model_fields) if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _model_in(inner)
        if found:
            return found
    return None
