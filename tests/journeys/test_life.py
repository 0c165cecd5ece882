"""Longer journeys: two processes under torchrun, a second release that must not be worse, README's own commands."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from genwright.project import Project

ROOT = Path(__file__).parents[2]
RECIPE = "python-code"


def torchrun(folder, *words):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, "-m", "genwright", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.slow
@pytest.mark.parametrize("fsdp", ["false", "true"])
def test_two_processes_train_one_model(miniature, genwright, tmp_path, fsdp):
    folder = miniature(RECIPE, tmp_path / "p")
    words = ["run", "train", "--json", *genwright.arguments(RECIPE, f"train.trainer.fsdp={fsdp}")]
    done = torchrun(folder, *words)
    assert done.returncode == 0, done.stderr[-3000:]
    (result,) = json.loads(done.stdout)
    assert [step["stage"] for step in result["steps"]] == ["data", "fit", "train"]
    assert len(Project.find(folder).ledger.runs()) == 3
    again = torchrun(folder, *words)
    assert {step["state"] for step in json.loads(again.stdout)[0]["steps"]} == {"hit"}


@pytest.mark.slow
def test_a_worse_system_is_not_released_after_a_better_one(miniature, genwright, tmp_path):
    folder = miniature(RECIPE, tmp_path / "p")
    gate = '[[gates]]\nmetric = "bits_per_byte"\nnot_worse_than = "released"\nmargin = 0.001\n'
    (folder / "policy.toml").write_text(f'name = "no worse"\n{gate}')
    better = genwright.arguments(RECIPE, "train.trainer.budget={steps = 30}")
    assert genwright(folder, "run", *better).returncode == 0
    worse = genwright(folder, "run", *genwright.arguments(RECIPE, "train.trainer.budget={steps = 2}"))
    assert worse.returncode == 3, worse.stderr
    assert "not worse than the released system" in worse.stderr
    project = Project.find(folder)
    assert [verdict["passed"] for verdict in project.verdicts()] == [True, False]
    assert [run["status"] for run in project.ledger.runs(stage="release")] == ["gate_failed", "done"]
    unreleased = project.verdicts()[-1]["system"][:16]
    refused = genwright(folder, "serve", unreleased)
    assert refused.returncode == 3
    assert "no passing verdict" in refused.stderr


@pytest.mark.slow
def test_a_threshold_drawn_afterwards_is_refused_until_measured_again(miniature, genwright, tmp_path):
    folder = miniature(RECIPE, tmp_path / "p")
    words = ["run", *genwright.arguments(RECIPE)]
    assert genwright(folder, *words).returncode == 0
    (folder / "policy.toml").write_text('name = "later"\n[[gates]]\nmetric = "bits_per_byte"\nmax = 8.9\n')
    late = genwright(folder, *words)
    assert late.returncode == 3
    assert "--again evaluate" in late.stderr
    assert genwright(folder, *words, "--again", "evaluate").returncode == 0


@pytest.mark.slow
def test_the_commands_of_the_readme_run(miniature, genwright, tmp_path):
    """README's block, line by line; the project is made a miniature after `new`, `serve` is asked once and stopped."""
    block = re.search(r"```\n(genwright new .*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    here = tmp_path
    for line in block.strip().splitlines():
        words = shlex.split(line)
        if words[0] == "cd":
            here = here / words[1]
            continue
        assert words[0] == "genwright", line
        more = genwright.arguments("python-prose") if words[1] == "run" else []
        if words[1] == "serve":
            serve_once(here, words[1:])
            continue
        done = genwright(here, *words[1:], *more)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        if words[1] == "new":
            (here / words[3] / "policy.toml").write_text('name = "m"\n[[gates]]\nmetric = "bits_per_byte"\nmax = 9.0\n')


def serve_once(folder, words):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "genwright", *words, "--port", str(port)]
    server = subprocess.Popen(command, cwd=folder, env=os.environ, stderr=subprocess.PIPE, text=True)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                if httpx.get(f"{address}/health").status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        model = httpx.get(f"{address}/v1/models").json()["data"][0]
        assert len(model["digest"]) == 64
        body = {"model": model["id"], "prompt": "The ", "max_tokens": 4}
        assert httpx.post(f"{address}/v1/completions", json=body, timeout=60).status_code == 200
    finally:
        server.terminate()
        server.wait(timeout=20)
