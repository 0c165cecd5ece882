"""The recipe of style transfer, whose stages are its own, from files to a release that draws."""

import json

import pytest

pytest.importorskip("onnxruntime")
pytestmark = [pytest.mark.slow, pytest.mark.network]
RECIPE = "style-transfer"


def test_style_transfer_from_files_to_a_drawing(miniature, genwright, tmp_path):
    folder = miniature(RECIPE, tmp_path / "p")
    words = ["run", "--json", *genwright.arguments(RECIPE)]
    done = genwright(folder, *words)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert [step["stage"] for step in result["steps"]] == ["data", "fit", "stylise", "release"]
    assert {claim["metric"] for claim in result["claims"]} >= set(genwright.facts(RECIPE)["claims"])
    (again,) = json.loads(genwright(folder, *words).stdout)
    assert {step["state"] for step in again["steps"]} == {"hit"}
    assert json.loads(genwright(folder, "verify", "--json").stdout)["problems"] == []
    samples = next(step["outputs"]["samples"] for step in result["steps"] if step["stage"] == "stylise")
    picture = next(folder.glob(f".genwright/objects/*/{samples}/00000.png"))
    release = result["steps"][-1]["outputs"]["release"]
    for name in ("one.png", "two.png"):
        drawn = genwright(folder, "style", str(picture), str(picture), "--system", release[:12], "--out", name)
        assert drawn.returncode == 0, drawn.stderr
    assert (folder / "one.png").read_bytes() == (folder / "two.png").read_bytes()
