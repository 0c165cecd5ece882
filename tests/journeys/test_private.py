"""Synthetic patients with differential privacy, from files to an evaluated system, in miniature."""

import json

import pytest

from genwright.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.network]
RECIPE = "synthetic-patients"


def test_epsilon_is_a_claim_that_verifies_and_stands_in_a_gate(miniature, genwright, tmp_path):
    folder = miniature(RECIPE, tmp_path / "p")
    with (folder / "policy.toml").open("a") as policy:
        policy.write('\n[[gates]]\nmetric = "epsilon"\nmax = 3.0\n')
    words = [*genwright.arguments(RECIPE, "train.trainer.privacy={epsilon = 3.0, delta = 1e-3}")]
    done = genwright(folder, "run", "--json", *words)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    (claim,) = [claim for claim in result["claims"] if claim["metric"] == "epsilon"]
    assert 2.8 < claim["estimate"]["value"] <= 3.0
    assert "group" in claim["unit"] and "training only" in claim["unit"]
    assert json.loads(genwright(folder, "verify", "--json").stdout)["problems"] == []
    again = json.loads(genwright(folder, "run", "train", "--json", "--again", "train", *words).stdout)[0]
    models = [
        next(step["outputs"]["model"] for step in run["steps"] if step["stage"] == "train") for run in (result, again)
    ]
    assert models[0] == models[1], "the seed of the noise is kept in the ledger"
    release = Project.find(folder).ledger.store.path(result["steps"][-1]["outputs"]["release"])
    assert "epsilon" in (release / "README.md").read_text() + (release / "claims.md").read_text()
    refused = genwright(folder, "plan", *words, "--set", "train.family=gan")
    assert refused.returncode == 2 and "autoregressive, diffusion, vae" in refused.stderr
