"""Recipes in miniature: the real stages on a slice of the real data, small enough for a laptop's CI."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ONE_THREAD = "project.threads=1"  # nets this small gain nothing by two, and files of tests run side by side
RECIPES = Path(__file__).parents[2] / "recipes"


def facts(recipe):
    """What a recipe's `miniature.toml` says: overrides, the metrics that have to be claimed, and gates."""
    return tomllib.loads((RECIPES / recipe / "miniature.toml").read_text())


def arguments(recipe, *more):
    """`--set` arguments of a recipe's miniature."""
    return [part for override in [*facts(recipe)["set"], ONE_THREAD, *more] for part in ("--set", override)]


@pytest.fixture(scope="session")
def miniature():
    """Make a project of a recipe in miniature: returns its folder."""

    def make(recipe, folder):
        from genwright.project.recipes import new_project

        new_project(str(RECIPES / recipe), folder)
        body = (RECIPES / recipe / "miniature.toml").read_text()
        (folder / "policy.toml").write_text('name = "miniature"\n' + body[body.index("[[gates]]") :])
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

    call.arguments, call.facts = arguments, facts
    return call
