"""The manual says what the code does: generated parts are current, README's commands exist and run, pages build."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from genwright.cli.main import COMMANDS, make_parser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^(?:\$ )?genwright ([^#\n]*)", re.MULTILINE)


def commands(text):
    """The genwright commands in fenced blocks, without comments."""
    blocks = re.findall(r"```(?:\w*)\n(.*?)```", text, re.DOTALL)
    return [found.strip() for block in blocks for found in COMMAND.findall(block)]


def test_generated_parts_are_current():
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_in_the_manual_is_understood(page):
    import shlex

    if page.name in ("cli.md", "benchmarks.md"):
        pytest.skip("generated from the parser itself")
    text = page.read_text().split("<!-- generated:demo -->")[0] if page.name == "README.md" else page.read_text()
    for line in commands(text):
        words = shlex.split(line)
        arguments = make_parser().parse_args(words)
        assert arguments.command in COMMANDS, line


def test_relative_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_make_targets_named_in_the_manual_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"`make (\w+)`|^make (\w+) *(?:#.*)?$", page.read_text(), re.MULTILINE):
            assert (target[0] or target[1]) in targets, f"{page.name}: make {target}"


@pytest.mark.slow
def test_the_manual_builds_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "docs", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_dependencies_are_explained():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    page = (ROOT / "docs" / "dependencies.md").read_text()
    for requirement in wanted:
        name = re.split(r"[<>=\[;]", requirement)[0].strip()
        assert name == "genwright" or f"`{name}`" in page, f"docs/dependencies.md says nothing of {name}"
        assert ("<" not in requirement and "==" not in requirement) or name == "genwright", (
            f"{requirement}: no upper cap"
        )


def test_no_machine_path_or_registry_host_stands_in_the_tree():
    forbidden = re.compile("/wo" + "rk/|pypi" + r"\.org|files\.python" + "hosted|regis" + "try.npmjs|deb\\.debi" + "an")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".json", ".txt", ".j2", ""}:
            assert not forbidden.search(path.read_text(errors="replace")), name
