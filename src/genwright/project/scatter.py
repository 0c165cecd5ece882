"""Points of two figures drawn as SVG: axes with units, intervals, references, a name beside each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 700, 320
LEFT, RIGHT, TOP, BELOW = 70, 420, 30, 46  # RIGHT is where the plot ends; names stand to the right of it
LINE = 16
INK, GREY, BLUE = "#1b1f24", "#57606a", "#0969da"


@dataclass(frozen=True)
class Axis:
    """What an axis shows. `better` is the direction in which it improves."""

    name: str
    unit: str
    better: str = "neither"

    @property
    def title(self) -> str:
        """Name, unit and direction.

        >>> Axis("training", "CPU s", "lower").title
        'training (CPU s), lower is better'
        """
        unit = "" if self.unit in ("", "1") else f" ({self.unit})"
        return f"{self.name}{unit}{'' if self.better == 'neither' else f', {self.better} is better'}"


@dataclass(frozen=True)
class Point:
    """One side: its cost and its quality, each also turned so that more is better, and the quality's interval."""

    side: str
    cost: float
    quality: float
    cost_gain: float
    quality_gain: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class _Frame:
    """Where values lie: costs from 0, qualities from `low` to `high`, in a picture that high."""

    most: float
    low: float
    high: float
    height: int

    def x(self, cost: float) -> float:
        return round(LEFT + cost / (self.most or 1.0) * (RIGHT - LEFT - 15), 1)

    def y(self, quality: float) -> float:
        share = (quality - self.low) / ((self.high - self.low) or 1.0)
        return round(self.height - BELOW - 8 - share * (self.height - BELOW - TOP - 16), 1)


def scatter(
    points: Sequence[Point], /, *, x: Axis, y: Axis, filled: Set[str], lines: Mapping[str, float], caption: str
) -> str:
    """A figure of points with their intervals. `lines` are qualities of no cost, dashed across."""
    frame = _frame(points, lines)
    labels = [(frame.y(one.quality), frame.x(one.cost) + 5, _label(one)) for one in points]
    labels += [(frame.y(value), RIGHT, f"{name[:28]} ({value:.4g})") for name, value in lines.items()]
    body = [
        *_axes(frame, x, y),
        *(_dashed(frame.y(value)) for value in lines.values()),
        *_named(labels, frame),
        *(part for one in points for part in _point(one, frame, filled=one.side in filled)),
    ]
    head = f'<svg viewBox="0 0 {WIDTH} {frame.height}" width="{WIDTH}" role="img" aria-label="{escape(caption)}">'
    return f"<figure>{head}{''.join(body)}</svg><figcaption>{escape(caption)}</figcaption></figure>"


def ticks(low: float, high: float, /) -> list[float]:
    """Two to six round numbers from `low` to `high`; the one number where they are equal.

    >>> ticks(0, 23), ticks(0.4, 0.97)
    ([0.0, 10.0, 20.0], [0.4, 0.6, 0.8])
    """
    if high <= low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / 2))
    steps = (power * factor for factor in (1, 2, 5))
    step = next((one for one in steps if (high - low) / one <= 5), power * 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{at * step:.10g}") for at in range(first, last + 1)]


def _frame(points: Sequence[Point], lines: Mapping[str, float]) -> _Frame:
    ends = [*lines.values(), *(one.quality for one in points)]
    ends += [end for one in points for end in (one.low, one.high) if end is not None]
    height = max(HEIGHT, LINE * (len(points) + len(lines)) + TOP + BELOW)
    return _Frame(max(one.cost for one in points), min(ends), max(ends), height)


def _axes(frame: _Frame, x: Axis, y: Axis) -> Iterator[str]:
    bottom = frame.height - BELOW
    yield f'<path d="M{LEFT} {TOP}V{bottom}H{RIGHT}" fill="none" stroke="{GREY}"/>'
    yield f'<text x="{LEFT}" y="{frame.height - 8}">{escape(x.title)}</text><text x="0" y="14">{escape(y.title)}</text>'
    for value in ticks(0.0, frame.most):
        at = frame.x(value)
        yield f'<path d="M{at} {bottom}v4" stroke="{GREY}"/>'
        yield f'<text x="{at}" y="{bottom + 17}" fill="{GREY}" text-anchor="middle">{value:.4g}</text>'
    for value in ticks(frame.low, frame.high):
        at = frame.y(value)
        yield f'<path d="M{LEFT} {at}h-4" stroke="{GREY}"/>'
        yield f'<text x="{LEFT - 8}" y="{at + 4}" fill="{GREY}" text-anchor="end">{value:.4g}</text>'


def _dashed(y: float) -> str:
    return f'<path d="M{LEFT} {y}H{RIGHT}" stroke="{GREY}" stroke-dasharray="5 4"/>'


def _label(point: Point) -> str:
    return f"{point.side[:24]} ({point.cost:.4g}, {point.quality:.4g})"


def _named(labels: Sequence[tuple[float, float, str]], frame: _Frame) -> Iterator[str]:
    """A name to the right of the plot for each place, joined to it by a line and clear of the others."""
    last = float(TOP)
    for left, (y, x, label) in zip(range(len(labels) - 1, -1, -1), sorted(labels), strict=True):
        last = min(max(y, last + LINE), frame.height - BELOW - LINE * left)
        yield f'<path d="M{x} {y}L{RIGHT + 12} {last:.1f}" stroke="#d0d7de"/>'
        yield f'<text x="{RIGHT + 16}" y="{last + 4:.1f}">{escape(label)}</text>'


def _point(point: Point, frame: _Frame, *, filled: bool) -> Iterator[str]:
    x, y = frame.x(point.cost), frame.y(point.quality)
    if point.low is not None and point.high is not None:
        yield f'<path d="M{x} {frame.y(point.low)}V{frame.y(point.high)}" stroke="{BLUE}" stroke-width="2"/>'
    yield f'<circle cx="{x}" cy="{y}" r="5" fill="{BLUE if filled else "#fff"}" stroke="{BLUE}"/>'
