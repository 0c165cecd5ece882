"""The example plug-in: one modality and one family enter by entry point, and meet the families of the house."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "points"


@pytest.fixture
def plugin(tmp_path):
    """Runs the CLI in a copy of the example's project, with the plug-in as if it were installed."""
    shutil.copytree(EXAMPLE / "project", tmp_path / "project")
    shutil.copytree(EXAMPLE / "genwright_points", tmp_path / "site" / "genwright_points")
    info = tmp_path / "site" / "genwright_points-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: genwright-points\nVersion: 0.1.0\n")
    points = re.findall(
        r'\[project\.entry-points\."(.+)"\]\n((?:.+ = .+\n)+)', (EXAMPLE / "pyproject.toml").read_text()
    )
    (info / "entry_points.txt").write_text("\n".join(f"[{group}]\n{body}" for group, body in points).replace('"', ""))

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
        command = [sys.executable, "-m", "genwright", *arguments]
        return subprocess.run(
            command, cwd=tmp_path / "project", env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.parametrize("family", ["kernel-density", "vae"])
def test_a_modality_of_the_plugin_under_a_family(plugin, family):
    done = plugin("run", "--json", "--set", f"train.family={family}")
    assert done.returncode == 0, done.stderr
    claims = json.loads(done.stdout)[0]["claims"]
    distance = {c["label"]: c["estimate"]["value"] for c in claims if c["metric"] == "held_out_distance"}
    assert set(distance) >= {"", "reference: other real samples", "baseline: kernel-density"}
    assert distance[""] < 0.2
    found = {c["metric"] for c in claims}
    assert found >= {"legal_share", "different_share", "new_share", "negative_log_likelihood", "samples_kept"}
    assert plugin("verify").returncode == 0


def test_samples_are_completed_and_written(plugin, tmp_path):
    assert plugin("run").returncode == 0
    done = plugin("generate", "--json", "--num", "5", "--given", '{"x": 0.25}')
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert (
        len(rows) == 5 and all(row["x"] == pytest.approx(0.25) for row in rows) and len({row["y"] for row in rows}) == 5
    )
    assert plugin("generate", "--num", "7", "--out", "made").returncode == 0
    assert len((tmp_path / "project" / "made" / "samples.csv").read_text().splitlines()) == 8
    assert (tmp_path / "project" / "made" / "preview.svg").read_text().startswith("<svg")
    for wrong in (["some text"], ["--given", "{no"], ["--given", "nothing.csv"]):
        refused = plugin("generate", *wrong)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr


def test_a_family_that_does_not_fit_fails_at_planning(plugin):
    done = plugin("plan", "--set", "train.family=autoregressive")
    assert done.returncode == 2
    assert "works on tokens" in done.stderr and "points" in done.stderr
