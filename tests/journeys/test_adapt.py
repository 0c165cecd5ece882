"""Adapting is killed at a random moment and ends with the digests of a run that never was."""

import json
import random
import shutil
import signal
import subprocess
import time

import pytest

from ..stages.base.models import write_model

pytestmark = pytest.mark.slow

SPEC = """
[project]
name = "adapted"
modality = "chat"
threads = 1
[base]
path = "model"
[data]
[[data.sources]]
path = "chats.jsonl"
[data.split]
validation = 0.2
test = 0.2
[adapt]
trainer = { budget = { steps = 120 }, batch_samples = 8, checkpoint_seconds = 0.01 }
"""
KILLS = 2


def make(folder, model):
    folder.mkdir()
    shutil.copytree(model, folder / "model")
    (folder / "genwright.toml").write_text(SPEC)
    rows = [{"prompt": f"the fox {place}", "completion": f"return {place % 3}"} for place in range(60)]
    (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def outputs(text):
    steps = {step["stage"]: step["outputs"] for step in json.loads(text)[0]["steps"]}
    return {slot: steps["adapt"][slot] for slot in ("model", "adapter", "adapt_samples")}


def test_kills_change_no_result(genwright, tmp_path):
    model = write_model(tmp_path / "base", max_position_embeddings=256)
    calm, torn = make(tmp_path / "calm", model), make(tmp_path / "torn", model)
    assert genwright(calm, "run", "base", "data").returncode == 0
    assert genwright(torn, "run", "base", "data").returncode == 0
    began = time.monotonic()
    whole = genwright(calm, "run", "--json")
    seconds = time.monotonic() - began
    assert whole.returncode == 0, whole.stderr
    rng = random.Random(4)
    for _ in range(KILLS):
        process = genwright(torn, "run", wait=False)
        try:
            process.wait(timeout=rng.uniform(0.5, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        process.stdout.close()
        process.stderr.close()
    again = genwright(torn, "run", "--json")
    assert again.returncode == 0, again.stderr
    assert outputs(again.stdout) == outputs(whole.stdout)
