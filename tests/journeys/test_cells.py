"""Every family over every modality is killed at random moments and ends with the digests of a run that never was.

A cell of each modality and each family is run here; `GENWRIGHT_ALL_CELLS=1` (`make cells`) runs all twenty, and
trees in the place of nets.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import time

import pytest

from genwright.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.network]

RECIPES = {
    "table": "synthetic-patients",
    "image": "fashion-images",
    "molecule": "molecule-design",
    "music": "chorales",
    "passage": "prose-passages",
}
FAMILIES = ("autoregressive", "vae", "gan", "diffusion")
SETTINGS = {
    ("image", "autoregressive"): '{kind="latent", prior="autoregressive", autoencoder={quantiser="vq", width=8}}',
    ("image", "vae"): '{kind="vae", width=8}',
    ("table", "trees"): '{kind="autoregressive", net={kind="trees"}}',
    ("table", "masked trees"): '{kind="diffusion", net={kind="masked-trees", copies=2}}',
}
SOME = (
    ("table", "autoregressive"),
    ("table", "trees"),
    ("image", "diffusion"),
    ("molecule", "vae"),
    ("music", "gan"),
    ("passage", "diffusion"),
)
ALL = (*itertools.product(RECIPES, FAMILIES), *(cell for cell in SETTINGS if cell[1] not in FAMILIES))
CELLS = ALL if os.environ.get("GENWRIGHT_ALL_CELLS") else SOME
KILLS = 3
SLOTS = ("dataset", "codec", "model", "system", "scores", "samples", "generation_scores")


def outputs(text):
    found = {slot: digest for step in json.loads(text)[0]["steps"] for slot, digest in step["outputs"].items()}
    return {slot: found[slot] for slot in SLOTS}


def killed(process, *, after):
    """Whether it still ran so many seconds after its start; it is gone then."""
    try:
        process.wait(timeout=after)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    finally:
        process.stdout.close()
        process.stderr.close()


def assert_no_orphan(folder):
    ledger = Project.find(folder).ledger
    known = {entry.body["id"] for entry in ledger.entries.select("kind = 'artifact'")}
    assert set(ledger.store.digests()) == known
    assert not list((ledger.folder / "work").iterdir())


@pytest.mark.parametrize(("modality", "family"), CELLS)
def test_kills_change_no_result(modality, family, miniature, genwright, tmp_path):
    recipe, chosen = RECIPES[modality], SETTINGS.get((modality, family), family)
    more = (f"train.family={chosen}", "train.trainer.checkpoint_seconds=0.01", "evaluate.num_samples=40")
    words = ["run", "evaluate", "--json", *genwright.arguments(recipe, *more)]
    calm = miniature(recipe, tmp_path / "calm")
    began = time.monotonic()
    done = genwright(calm, *words)
    seconds = time.monotonic() - began
    if "cannot be downloaded" in done.stderr:
        pytest.skip(f"no package registry: {done.stderr}")
    assert done.returncode == 0, done.stderr
    folder, rng = miniature(recipe, tmp_path / "torn"), random.Random(f"{modality} {family}")
    for _ in range(KILLS):
        # A killed run leaves less to do for the next one.
        if not killed(genwright(folder, *words, wait=False), after=rng.uniform(0.1, 0.9) * seconds):
            break
    again = genwright(folder, *words)
    assert again.returncode == 0, again.stderr
    assert outputs(again.stdout) == outputs(done.stdout)
    assert_no_orphan(folder)
    assert Project.find(folder).verify().problems == ()
