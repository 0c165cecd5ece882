"""Quality against cost: the frontier, and what is drawn of it."""

from genwright.core import Estimate
from genwright.project.compare import Row
from genwright.project.pareto import Point, charts, frontier


def row(metric, side, value, better, label=""):
    return Row(metric, label, "1", side, Estimate(value, 1, "mean"), better=better)


SIDES = {"f16": (270.0, 0.30), "q8_0": (145.0, 0.30), "q4_0": (90.0, 0.27), "broken": (100.0, 0.10)}


def rows():
    sizes = [row("model_bytes", side, size, "lower") for side, (size, _) in SIDES.items()]
    parents = [row("model_bytes", side, 999.0, "lower", "reference: parent") for side in SIDES]
    quality = [row("chrf", side, value, "higher") for side, (_, value) in SIDES.items()]
    return [*parents, *sizes, *quality, row("decode_tokens_per_second", "f16", 10.0, "higher", "1 stream")]


def test_what_another_side_beats_is_not_on_the_frontier():
    points = [Point(side, size, value, -size, value) for side, (size, value) in SIDES.items()]
    assert frontier(points) == {"q8_0", "q4_0"}
    assert frontier([*points[:1], points[0]]) == {"f16"}


def test_a_chart_fills_the_sides_of_the_frontier():
    (figure,) = charts(rows())
    assert figure.count("<circle") == 4 and figure.count('fill="#0969da"') == 2
    assert "q8_0 (145, 0.3)" in figure and "999" not in figure


def test_nothing_is_drawn_without_two_sides_or_a_quality():
    assert charts([one for one in rows() if one.metric != "chrf"]) == []
    assert charts([one for one in rows() if one.side == "f16"]) == []
