"""Quality against cost: the frontier, and what is drawn of it."""

import re
from itertools import pairwise

import pytest

from genwright.core import Estimate
from genwright.project.compare import EVERY, Cost, Row
from genwright.project.pareto import charts, frontier
from genwright.project.scatter import Point


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


FAMILIES = {"autoregressive": (20.0, 0.70), "vae": (21.0, 0.90), "gan": (19.0, 0.95), "diffusion": (22.0, 0.75)}
COSTS = [Cost(side, 1.0, cpu, "", 6 * cpu, "CPU seconds x 6 W") for side, (cpu, _) in FAMILIES.items()]


def made(metric="c2st_auc", better="lower", label="", sides=tuple(FAMILIES)):
    estimates = {side: Estimate(FAMILIES[side][1], 9, "auc", FAMILIES[side][1] - 0.02, 0.99) for side in sides}
    return [Row(metric, label, "1", side, estimate, better=better) for side, estimate in estimates.items()]


def beside(label, value):
    return Row("c2st_auc", label, "1", EVERY, Estimate(value, 9, "auc"), better="lower")


def test_families_are_drawn_against_processor_time_and_energy():
    seconds, joules = charts(made(), costs=COSTS)
    assert "training (CPU s), lower is better" in seconds and "energy of training (J), lower is better" in joules
    assert "c2st_auc, lower is better" in seconds and "CPU seconds x 6 W" in joules and "6 W" not in seconds
    for side, (cpu, auc) in FAMILIES.items():
        assert f"{side} ({cpu:.4g}, {auc:.4g})" in seconds and f"{side} ({6 * cpu:.4g}, {auc:.4g})" in joules
    assert seconds.count('stroke-width="2"') == 4  # an interval each
    assert seconds.count("<circle") == 4 and seconds.count('fill="#0969da"') == 2  # autoregressive and the GAN


@pytest.mark.parametrize(
    "metric", ["frechet_ratio", "frechet_chemnet_distance", "c2st_auc", "tstr_auc", "negative_log_likelihood", "chrf"]
)
def test_each_modality_has_a_figure_that_is_drawn(metric):
    figures = charts(made(metric, better="higher"), costs=COSTS)
    assert len(figures) == 2 and all(f"{metric}, higher is better" in figure for figure in figures)


def test_other_real_samples_and_baselines_are_lines_and_no_points():
    other = [beside("reference: other real samples", 0.5), beside("baseline: cart", 0.6)]
    seconds, _ = charts([*made(), *other, beside("reference: train samples drawn again", 0.4)], costs=COSTS)
    assert seconds.count("stroke-dasharray") == 2 and seconds.count("<circle") == 4
    assert "other real samples (0.5)" in seconds and "baseline: cart (0.6)" in seconds and "drawn again" not in seconds


def test_a_bound_is_not_drawn_with_a_likelihood():
    name = "negative_log_likelihood"
    bounds = made(name, label="upper bound", sides=("vae", "diffusion"))
    figures = charts([*made(name, sides=("autoregressive",)), *bounds], costs=COSTS)
    assert len(figures) == 2 and all("autoregressive" not in figure for figure in figures)
    assert f"{name}, upper bound, lower is better" in figures[0]


def test_sides_whose_training_is_not_known_are_left_out():
    unknown = [Cost(side, None, None, "not known") for side in ("gan", "diffusion")]
    seconds, joules = charts(made(), costs=[*COSTS[:2], *unknown])
    assert seconds.count("<circle") == joules.count("<circle") == 2
    assert charts(made(), costs=[*COSTS[:1], *unknown]) == []


def test_names_do_not_lie_upon_each_other():
    rows = [Row("c2st_auc", "", "1", str(at), Estimate(0.9, 9, "auc"), better="lower") for at in range(30)]
    figure, _ = charts(rows, costs=[Cost(str(at), 1.0, 20.0, "", 120.0) for at in range(30)])
    places = [float(y) for y in re.findall(r'<text x="436" y="([\d.]+)"', figure)]
    assert len(places) == 30 and min(b - a for a, b in pairwise(sorted(places))) >= 16
    height = float(re.search(r'viewBox="0 0 \d+ (\d+)"', figure)[1])
    assert places[0] > 0 and places[-1] < height
