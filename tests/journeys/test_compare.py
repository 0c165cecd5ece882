"""Families over one table at an equal budget: run as a matrix, compared on one page."""

import json
import re

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.network]

RECIPE = "synthetic-patients"
FAMILIES = ("autoregressive", "vae", "gan", "diffusion")
SIDES = tuple(f"family={family}" for family in FAMILIES)


@pytest.fixture(scope="module")
def compared(miniature, genwright, tmp_path_factory):
    """(the parsed comparison, the text of its page)."""
    folder = miniature(RECIPE, tmp_path_factory.mktemp("matrix") / RECIPE)
    with (folder / "genwright.toml").open("a") as file:
        file.write(f'\n[matrix]\n"train.family" = {json.dumps(FAMILIES)}\n')
    words = genwright.arguments(RECIPE)
    done = genwright(folder, "run", "evaluate", "--json", *words)
    if "cannot be downloaded" in done.stderr:
        pytest.skip(f"no package registry: {done.stderr}")
    assert done.returncode == 0, done.stderr
    done = genwright(folder, "compare", "--out", "page.html", "--json", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), (folder / "page.html").read_text()


def part(page, title):
    """What stands under that heading."""
    return page.partition(f"<h2>{title}</h2>")[2].partition("<h2>")[0]


def test_every_family_has_its_figures_and_its_cost(compared):
    found, page = compared
    assert [row["side"] for row in found["rows"] if (row["metric"], row["label"]) == ("c2st_auc", "")] == list(SIDES)
    later = {row["metric"]: row for row in found["rows"] if row["side"] == SIDES[-1] and not row["label"]}
    assert later["tstr_auc"]["paired"] and later["tstr_auc"]["difference"]["low"] is not None
    assert not later["c2st_auc"]["paired"] and "independent" in later["c2st_auc"]["difference"]["method"]
    assert 0 <= later["c2st_auc"]["p_holm"] <= 1
    assert [cost["side"] for cost in found["costs"]] == list(SIDES)
    assert all(cost["cpu_s"] > 0 and cost["energy_joules"] > 0 for cost in found["costs"])
    assert all(f'<th scope="row">{side}</th>' in part(page, "Cost of training") for side in SIDES)


def test_quality_is_drawn_against_the_cost_of_training(compared):
    figures = re.findall(r"<figure>.*?</figure>", part(compared[1], "Quality against cost"), re.DOTALL)
    by_caption = {re.search(r"<figcaption>([^<(]*)", figure)[1].strip(): figure for figure in figures}
    for metric in ("c2st_auc", "tstr_auc"):
        for cost in ("training", "energy of training"):
            figure = by_caption[f"{metric} against {cost}"]
            assert figure.count("<circle") == len(SIDES) and all(f"{side} (" in figure for side in SIDES)
            assert "other real samples (" in figure and "baseline: cart (" in figure
    bounds = by_caption["negative_log_likelihood, upper bound against training"]
    assert "family=vae (" in bounds and "family=autoregressive (" not in bounds


def test_the_gallery_shows_rows_of_every_family(compared):
    figures = re.findall(r"<figure>.*?</figure>", part(compared[1], "Samples"), re.DOTALL)
    assert len(figures) == len(SIDES)
    for side, figure in zip(SIDES, figures, strict=True):
        assert f"<figcaption>{side}, first samples</figcaption>" in figure
        assert '<th scope="col">binexp</th>' in figure and figure.count('<th scope="row">') == 8
        assert f'<img alt="{side}, samples drawn" src="data:image/svg+xml;base64,' in figure
