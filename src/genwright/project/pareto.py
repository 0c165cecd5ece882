"""Quality against cost: which sides of a comparison no other side beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from genwright.project.compare import Row

COSTS = ("model_bytes", "decode_tokens_per_second", "peak_memory_bytes")
QUALITIES = ("chrf", "rouge_l", "exact", "bits_per_byte")
WIDTH, HEIGHT, EDGE = 560, 300, 60


@dataclass(frozen=True)
class Point:
    """One side: its cost and its quality, each turned so that more is better, and as they are."""

    side: str
    cost: float
    quality: float
    cost_gain: float
    quality_gain: float


def charts(rows: Sequence[Row], /) -> list[str]:
    """A figure for each cost that two sides or more have beside the first quality that they have."""
    quality = next((name for name in QUALITIES if len(_values(rows, name)) > 1), None)
    if quality is None:
        return []
    found = []
    for cost in COSTS:
        points = _points(rows, cost, quality)
        if len(points) > 1:
            found.append(_figure(points, cost, quality))
    return found


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


def _values(rows: Sequence[Row], metric: str) -> dict[str, Row]:
    """The rows of that metric by side: without a label, or the first labelled one that is no reference's."""
    found: dict[str, Row] = {}
    for row in rows:
        if (
            row.metric == metric
            and not row.label.startswith(("reference", "baseline"))
            and row.estimate.value is not None
        ):
            found.setdefault(row.side, row)
    return found


def _points(rows: Sequence[Row], cost: str, quality: str) -> list[Point]:
    costs, qualities = _values(rows, cost), _values(rows, quality)
    points = []
    for side in (side for side in costs if side in qualities):
        x, y = costs[side].estimate.value, qualities[side].estimate.value
        assert x is not None and y is not None
        points.append(Point(side, x, y, _gain(costs[side], x), _gain(qualities[side], y)))
    return points


def _gain(row: Row, value: float) -> float:
    return -value if row.better == "lower" else value


def _figure(points: Sequence[Point], cost: str, quality: str) -> str:
    best = frontier(points)
    place_x = _scale([point.cost for point in points], EDGE, WIDTH - 120)
    place_y = _scale([point.quality for point in points], HEIGHT - EDGE, 20)
    body = [
        f'<line x1="{EDGE}" y1="{HEIGHT - 40}" x2="{WIDTH - 20}" y2="{HEIGHT - 40}" stroke="#57606a"/>',
        f'<line x1="{EDGE - 20}" y1="10" x2="{EDGE - 20}" y2="{HEIGHT - 40}" stroke="#57606a"/>',
        f'<text x="{EDGE}" y="{HEIGHT - 8}">{escape(cost)}</text><text x="0" y="12">{escape(quality)}</text>',
    ]
    for point, x, y in zip(points, place_x, place_y, strict=True):
        fill = "#0969da" if point.side in best else "none"
        label = f"{point.side[:24]} ({point.cost:.4g}, {point.quality:.4g})"
        body.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{fill}" stroke="#0969da"/>')
        body.append(f'<text x="{x + 8}" y="{y + 4}">{escape(label)}</text>')
    caption = f"{quality} against {cost}; filled: no other side is better in one and as good in the other"
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">{"".join(body)}</svg>'
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _scale(values: Sequence[float], first: float, last: float) -> list[float]:
    """Places between `first` and `last`, in proportion."""
    low, high = min(values), max(values)
    spread = high - low or 1.0
    return [round(first + (value - low) / spread * (last - first), 1) for value in values]
