"""Policies: gates in TOML, fixed before the measurement."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from genwright.core.config import Config, read_toml
from genwright.core.errors import SpecError


class Gate(Config):
    """One condition on one claim.

    `max` and `min` bound the end of the claim's interval that lies on the bad side (the value itself where
    the claim has no interval, or with `on = "value"`). `not_worse_than = "released"` asks that the paired
    interval of new minus released stays within `margin` on the bad side.
    """

    metric: str
    label: str = ""
    max: float | None = None
    min: float | None = None
    on: Literal["bound", "value"] = "bound"
    not_worse_than: Literal["released"] | None = None
    margin: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _has_one_condition(self) -> Self:
        if self.max is None and self.min is None and self.not_worse_than is None:
            raise ValueError("a gate needs max, min or not_worse_than")
        if self.not_worse_than and (self.max is not None or self.min is not None):
            raise ValueError("not_worse_than stands alone; write a second gate for max or min")
        return self


class Policy(Config):
    """A named set of gates; all must pass."""

    name: str
    purpose: str = ""
    gates: tuple[Gate, ...] = Field(min_length=1)


def read_policy(config: Any, root: Path, /) -> dict[str, Any]:
    """The checked policy of a release section, as plain JSON.

    Raises:
        SpecError: the file is missing, outside the project, or wrong.
    """
    path = (root / config.policy).resolve()
    if not path.is_relative_to(root.resolve()):
        raise SpecError(f"release.policy '{config.policy}' leads out of the project folder {root}")
    return Policy.parse(read_toml(path), where=str(config.policy)).model_dump(mode="json")
