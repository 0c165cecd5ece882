"""The grid's bench and its page: no cell without a sample, no column without a figure."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MADE = {"legal_share": 1.0, "frechet_ratio": 13.4, "c2st_auc": 0.9}


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def grid(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    found = module(ROOT / "bench" / "grid.py")
    monkeypatch.setattr(found, "PICTURES", tmp_path / "docs" / "grid")
    monkeypatch.setattr(found, "RESULTS", tmp_path / "grid.json")
    (tmp_path / "docs").mkdir()
    yield found
    sys.modules.pop("report", None)


@pytest.fixture
def page(monkeypatch, tmp_path):
    found = module(ROOT / "docs" / "generate.py")
    monkeypatch.setattr(found, "ROOT", tmp_path)
    return found


def claim(metric, value, of=""):
    return {"metric": metric, "of": of, "unit": "1", "value": value, "low": None, "high": None}


def cell(metric, *beside, sample="x", modality="image", family="gan"):
    claims = [claim("legal_share", 1.0), claim(metric, MADE[metric]), *beside]
    training = {"cpu_s": 20.0, "energy": {"joules": 118.0}}
    return {
        "modality": modality, "family": family, "set": family, "claims": claims, "training": training, "sample": sample,
        "budget": "20s",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("modality", "files", "sample"),
    [
        ("text", {"preview.txt": "\n\nfirst\nsecond\n", "samples.jsonl": "{}"}, "first"),
        ("table", {"samples.csv": '"a","b"\n1,2\n', "preview.svg": "<svg/>"}, "1,2"),
        ("molecule", {"samples.csv": '"smiles"\n"CCO"\n', "samples.smi": "CCO\n"}, '"CCO"'),
        ("music", {"preview.svg": "<svg/>", "samples.parquet": "", "00000.mid": ""}, "music-gan.svg"),
        ("image", {"preview.png": "png", "captions.csv": "file\n"}, "image-gan.png"),
    ],
)
def test_every_modality_has_a_sample(grid, page, tmp_path, modality, files, sample):
    folder = tmp_path / "samples"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    assert grid._sample(folder, modality, "gan") == sample
    shown = "\n".join(page._sample(cell("c2st_auc", sample=sample, modality=modality)))
    assert (f"![samples of {modality} by gan](grid/{sample})" in shown) == (modality in grid.DRAWN)
    assert sample in shown


def test_a_cell_without_a_sample_is_asked_for_again(grid, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(sys, "argv", ["grid.py", str(tmp_path), "20s"])
    kept = [
        cell("c2st_auc", modality=modality, family=family, sample="" if modality == "music" else "x")
        for modality in grid.RECIPES
        for family in grid.FAMILIES
    ]
    grid.RESULTS.write_text(json.dumps({"cells": kept}))

    def again(modality, family, **_):
        asked.append((modality, family))
        return cell("c2st_auc", modality=modality, family=family, sample="made")

    monkeypatch.setattr(grid, "cell", again)
    grid.main()
    assert asked == [("music", family) for family in grid.FAMILIES]
    assert all(one["sample"] for one in json.loads(grid.RESULTS.read_text())["cells"])


def test_other_real_pictures_are_1_by_definition(page):
    distance = claim("frechet_distance", 0.25, "reference: other real samples")
    assert "| frechet_ratio 13.4 | 1 by definition: frechet_distance 0.25 |" in page._cell(
        cell("frechet_ratio", distance)
    )
    assert "| frechet_ratio 13.4 | 1 by definition |" in page._cell(cell("frechet_ratio"))


def test_every_baseline_is_named(page):
    beside = [
        claim("c2st_auc", 0.5, "reference: other real samples"),
        claim("c2st_auc", 0.7, "baseline: latent-class"),
        claim("c2st_auc", 0.6, "baseline: cart"),
    ]
    assert "| c2st_auc 0.9 | 0.5 | latent-class 0.7; cart 0.6 |" in page._cell(cell("c2st_auc", *beside))
