"""Quality against cost: which sides of a comparison no other side beats in both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from genwright.project.compare import EVERY, Cost, Row
from genwright.project.scatter import Axis, Point, scatter

COSTS = ("model_bytes", "decode_tokens_per_second", "peak_memory_bytes")
QUALITIES = ("chrf", "rouge_l", "exact", "bits_per_byte")
# What is drawn against the cost of training: of each modality the figures that say most.
CHIEF = (
    "frechet_ratio", "frechet_chemnet_distance", "c2st_auc", "tstr_auc", "tstr_r2", "negative_log_likelihood",
    *QUALITIES,
)  # fmt: skip
TRAINING = {"cpu_s": Axis("training", "CPU s", "lower"), "energy_joules": Axis("energy of training", "J", "lower")}
FLOOR = "reference: other real samples"


def charts(rows: Sequence[Row], /, *, costs: Sequence[Cost] = ()) -> list[str]:
    """Figures of what two sides or more share: the first quality beside each cost of the model, and each chief quality
    beside CPU seconds and joules of training. A bound and a likelihood are not drawn together."""
    return [*_of_models(rows), *_of_training(rows, costs)]


def frontier(points: Sequence[Point], /) -> set[str]:
    """The sides that no other one beats in one of the two without losing in the other."""
    return {
        one.side
        for one in points
        if not any(
            other.cost_gain >= one.cost_gain
            and other.quality_gain >= one.quality_gain
            and (other.cost_gain, other.quality_gain) != (one.cost_gain, one.quality_gain)
            for other in points
        )
    }


def _of_models(rows: Sequence[Row]) -> Iterator[str]:
    quality: Mapping[str, Row] = next((found for name in QUALITIES if len(found := _values(rows, name)) > 1), {})
    for name in COSTS:
        costs = _values(rows, name)
        points = [
            _point(quality[side], cost=_value(row), gain=_gain(row)) for side, row in costs.items() if side in quality
        ]
        if len(points) > 1:
            yield _figure(points, _axis(next(iter(costs.values()))), next(iter(quality.values())))


def _of_training(rows: Sequence[Row], costs: Sequence[Cost]) -> Iterator[str]:
    for metric, label in dict.fromkeys((row.metric, row.label) for name in CHIEF for row in rows if row.metric == name):
        own = _values(rows, metric, label=label)
        for field, axis in TRAINING.items():
            spent = {cost.side: value for cost in costs if (value := getattr(cost, field)) is not None}
            points = [_point(own[side], cost=value, gain=-value) for side, value in spent.items() if side in own]
            if len(points) > 1:
                how = _methods(costs) if field == "energy_joules" else ""
                yield _figure(points, axis, next(iter(own.values())), lines=_lines(rows, metric), how=how)


def _methods(costs: Sequence[Cost]) -> str:
    return " / ".join(dict.fromkeys(cost.energy_method for cost in costs if cost.energy_method))


def _values(rows: Sequence[Row], metric: str, *, label: str | None = None) -> dict[str, Row]:
    """The rows of that metric by side, without references: of that label, or without one the first that stands."""
    found: dict[str, Row] = {}
    for row in rows:
        if (
            row.metric == metric
            and label in (None, row.label)
            and not row.label.startswith(("reference", "baseline"))
            and row.estimate.value is not None
        ):
            found.setdefault(row.side, row)
    return found


def _lines(rows: Sequence[Row], metric: str) -> dict[str, float]:
    """Other real samples and the baselines, where they are the same for every side."""
    return {
        row.label.removeprefix("reference: "): row.estimate.value
        for row in rows
        if row.metric == metric
        and row.side == EVERY
        and (row.label == FLOOR or row.label.startswith("baseline"))
        and row.estimate.value is not None
    }


def _point(row: Row, *, cost: float, gain: float) -> Point:
    return Point(row.side, cost, _value(row), gain, _gain(row), row.estimate.low, row.estimate.high)


def _value(row: Row) -> float:
    assert row.estimate.value is not None
    return row.estimate.value


def _gain(row: Row) -> float:
    return -_value(row) if row.better == "lower" else _value(row)


def _axis(row: Row) -> Axis:
    return Axis(f"{row.metric}, {row.label}" if row.label else row.metric, row.unit, row.better)


def _figure(
    points: Sequence[Point], cost: Axis, quality: Row, *, lines: Mapping[str, float] | None = None, how: str = ""
) -> str:
    y = _axis(quality)
    caption = f"{y.name} against {cost.name}{f' ({how})' if how else ''}"
    return scatter(points, x=cost, y=y, filled=frontier(points), lines=lines or {}, caption=caption)
