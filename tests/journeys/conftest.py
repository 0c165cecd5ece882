"""Recipes in miniature: the real stages on a slice of the real data, small enough for a laptop's CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"
LENIENT = 'name = "miniature"\n[[gates]]\nmetric = "bits_per_byte"\nmax = 9.0\n'
SMALL = [
    "train.size=nano",
    "train.context_tokens=64",
    "train.trainer.batch_tokens=512",
    "train.trainer.budget={steps = 12}",
    "train.trainer.validation.max_tokens=1024",
    "train.trainer.checkpoint_seconds=0.05",
    "fit.codec.vocab_size=512",
    "evaluate.generation.num_samples=4",
    "evaluate.generation.max_tokens=24",
    "evaluate.references.ngram_orders=[3]",
]
SLICES = {"python-code": ["data.sources.0.path=python:json/*.py", "data.near.contained=ignore"], "python-prose": []}


def arguments(recipe, *more):
    """`--set` arguments of a recipe's miniature."""
    return [part for override in [*SMALL, *SLICES[recipe], *more] for part in ("--set", override)]


@pytest.fixture(scope="session")
def miniature():
    """Make a project of a recipe in miniature: returns its folder."""

    def make(recipe, folder):
        from genwright.project.recipes import new_project

        new_project(str(RECIPES / recipe), folder)
        (folder / "policy.toml").write_text(LENIENT)
        return folder

    return make


@pytest.fixture(scope="session")
def genwright():
    """Run the command line as a process of its own: returns the finished process, or the running one."""

    def call(folder, *words, wait=True, **options):
        command = [sys.executable, "-m", "genwright", *words]
        environment = {**os.environ, "NO_COLOR": "1"}
        if not wait:
            return subprocess.Popen(command, cwd=folder, env=environment, stdout=-1, stderr=-1, text=True, **options)
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    call.arguments = arguments
    return call
