"""Data that would break a careless pipeline, through all of this one: dropped with a reason, or handled as it says."""

import json

import numpy as np
import pytest

from genwright.project import Project

pytestmark = pytest.mark.slow

TABLE = """
[project]
name = "hostile"
modality = "table"
seed = 1
threads = 1
[data]
[[data.sources]]
path = "rows.csv"
name = "rows"
licence = "none"
[data.split]
validation = 0.2
test = 0.3
[fit]
[train]
family = "autoregressive"
size = "nano"
[train.trainer]
budget = { steps = 6 }
batch_samples = 16
compile = "off"
validation = { times = 1 }
[evaluate]
num_samples = 40
metrics = { target = "ill", max_rows = 60 }
"""


def hostile_rows(folder, *, n=240):
    """NaN, infinite and missing cells, a constant, an empty and an all-different column, a class with one member."""
    rng = np.random.default_rng(0)
    lines = ["x,constant,empty,name,class,ill"]
    for row in range(n):
        x = {5: "inf", 6: "-inf", 7: "NaN", 8: ""}.get(row, f"{rng.normal():.3f}")
        kind = "alone" if row == 11 else "uv"[row % 2]
        lines.append(f"{x},7,,person {row},{kind},{int(rng.random() < 0.4)}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")


def project(folder, text):
    folder.mkdir()
    (folder / "genwright.toml").write_text(text)
    return folder


def claims_of(done):
    assert done.returncode == 0, done.stderr
    found = {}
    for claim in json.loads(done.stdout)[0]["claims"]:
        found[claim["metric"], claim["label"]] = claim["estimate"]["value"]
    return found


@pytest.mark.parametrize("family", ["autoregressive", "vae", "gan", "diffusion"])
def test_a_table_that_holds_everything_that_breaks(family, genwright, tmp_path):
    folder = project(tmp_path / "p", TABLE)
    hostile_rows(folder)
    claims = claims_of(genwright(folder, "run", "--json", "--set", f"train.family={family}"))
    assert claims["samples_dropped", "not-finite"] == 2
    assert claims["samples_kept", ""] == 238
    assert 0.0 <= claims["legal_share", ""] <= 1.0
    assert claims["c2st_auc", ""] is not None
    assert Project.find(folder).verify().problems == ()


def test_a_condition_on_a_class_with_one_member_and_on_a_number_with_gaps(genwright, tmp_path):
    folder = project(tmp_path / "p", TABLE)
    hostile_rows(folder)
    conditions = 'fit.condition=[{column = "class"}, {column = "x", kind = "number"}]'
    claims = claims_of(genwright(folder, "run", "--json", "--set", conditions))
    assert claims["negative_log_likelihood", ""] is not None


def test_a_target_of_one_value_says_so(genwright, tmp_path):
    folder = project(tmp_path / "p", TABLE)
    hostile_rows(folder)
    done = genwright(folder, "run", "--set", "evaluate.metrics.target=constant")
    assert done.returncode != 0
    assert "column 'constant' has 1 values" in done.stderr
    assert [run["stage"] for run in Project.find(folder).ledger.runs()] == ["data"], "known before anything is trained"


def test_a_loss_that_is_not_finite_is_recorded_with_its_step(genwright, tmp_path):
    folder = project(tmp_path / "p", TABLE)
    hostile_rows(folder)
    rate = "train.trainer.optimiser={learning_rate = 1.0, clip_norm = 1e30}"
    words = ["run", "train", "--set", rate, "--set", "train.family=diffusion", "--set", "fit.codec=table-vector"]
    done = genwright(folder, *words, "--set", "train.trainer.budget={steps = 400}", "--set", "train.size=micro")
    if done.returncode == 0:
        pytest.skip("this loss survives a learning rate of 1")
    assert "training diverged at step" in done.stderr
    (run,) = Project.find(folder).ledger.runs(stage="train")
    assert run["status"] == "failed" and "diverged at step" in run["error"]


def test_pictures_of_another_size_and_a_class_with_one_member(genwright, tmp_path):
    image = pytest.importorskip("PIL.Image")
    text = TABLE.replace('"table"', '"image"').replace("rows.csv", "*/*.png").replace("autoregressive", "diffusion")
    text = text.replace('metrics = { target = "ill", max_rows = 60 }', "metrics = { net_steps = 4, resamples = 20 }")
    text = text.replace('licence = "none"', 'licence = "none"\nlabels = "folder"\non_error = "drop"')
    folder = project(tmp_path / "p", text.replace("[fit]", '[[fit.condition]]\ncolumn = "label"'))
    rng = np.random.default_rng(0)
    sizes = [("a", 8)] * 40 + [("b", 8)] * 39 + [("alone", 8), ("a", 9)]
    for number, (name, side) in enumerate(sizes):
        (folder / name).mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (side, side)).astype(np.uint8)
        image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    claims = claims_of(genwright(folder, "run", "--json"))
    assert claims["samples_kept", ""] == 80
    assert claims["samples_dropped", "unreadable"] == 1
    assert claims["legal_share", ""] == 1.0
