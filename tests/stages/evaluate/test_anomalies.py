"""Samples of another kind are told from held-out ones by the system's own scores, where its family has any."""

import json

import numpy as np
import pytest
from PIL import Image

from genwright.cli.main import main
from genwright.core import SpecError
from genwright.project import Project

SPEC = """
[project]
name = "odd"
modality = "image"
threads = 1
[[data.sources]]
path = "plain"
[data.split]
validation = 0.2
test = 0.3
[fit]
[train]
size = "nano"
family = {family}
[train.trainer]
budget = {{ steps = 30 }}
batch_samples = 16
[evaluate]
num_samples = 10
resamples = 100
metrics = {{ net_steps = 2, resamples = 20 }}
anomalies = {{ path = "odd" }}
"""


def project_in(folder, family, odd=255):
    """Forty dark pictures with a bright column; twelve odd ones, which are noise."""
    rng = np.random.default_rng(0)
    for name, count in (("plain", 40), ("odd", 12)):
        (folder / name).mkdir()
        for at in range(count):
            levels = rng.integers(0, 20, (8, 8)) if name == "plain" else rng.integers(0, odd, (8, 8))
            if name == "plain":
                levels[:, at % 8] = 220
            Image.fromarray(levels.astype(np.uint8)).save(folder / name / f"{at}.png")
    (folder / "genwright.toml").write_text(SPEC.format(family=family))
    return Project.find(folder)


def aucs(project):
    (done,) = project.run()
    return {claim.label: claim.estimate for claim in done.claims if claim.metric == "anomaly_auc"}


def scores_of(project, path, capsys, *, code=0):
    """What `genwright score` says of a file, or its error."""
    system = next(run["outputs"]["system"] for run in project.ledger.runs(stage="evaluate"))
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(["-C", str(project.root), "score", str(path), "--system", system, "--json"])
    assert left.value.code == code
    shown = capsys.readouterr()
    return shown.out + shown.err if code else json.loads(shown.out)


@pytest.mark.slow
def test_odd_samples_are_told_and_a_source_that_changes_is_measured_again(tmp_path, capsys):
    project = project_in(tmp_path, '"pca-mixture"')
    found = aucs(project)
    assert set(found) == {"by negative log-likelihood", "by reconstruction error"}
    assert all(one.value > 0.9 and one.low is not None for one in found.values())
    assert found["by reconstruction error"].n == 24  # twelve held out, twelve odd
    assert {step.state for step in project.plan()[0].steps} == {"hit"}
    plain, odd = (scores_of(project, tmp_path / kind / "1.png", capsys)[0] for kind in ("plain", "odd"))
    assert odd["surprise"] > plain["surprise"] and odd["rebuilt"] > plain["rebuilt"]
    assert odd["surprise p"] == odd["rebuilt p"] == 1 / 13  # of twelve held out
    assert plain["surprise p"] > 2 / 13
    (tmp_path / "odd" / "0.png").unlink()
    assert [step.stage.name for step in project.plan()[0].steps if step.state == "run"] == ["evaluate"]


@pytest.mark.slow
def test_a_score_that_a_family_has_not_is_not_estimable(tmp_path, capsys):
    project = project_in(tmp_path, '{ kind = "diffusion", net = { kind = "unet", width = 8 }, steps = 2 }')
    found = aucs(project)
    assert {one.value for one in found.values()} == {None}
    assert all(one.reason for one in found.values())
    assert "neither a likelihood nor a latent" in scores_of(project, tmp_path / "odd" / "1.png", capsys, code=2)


def test_the_source_is_checked_as_those_of_data_are(tmp_path):
    project = project_in(tmp_path, '"pca-mixture"')
    text = (tmp_path / "genwright.toml").read_text()
    (tmp_path / "genwright.toml").write_text(text.replace('path = "odd"', 'path = "odd", pathology = 1'))
    with pytest.raises(SpecError, match="pathology"):
        project.plan()
