"""A project whose stages are toys."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from genwright.core import registry
from genwright.project import Project

sys.path.insert(0, str(Path(__file__).parent))
import toy

SPEC = '[project]\nname = "toy"\n[numbers]\n[double]\n[release]\n'


@pytest.fixture
def toys(monkeypatch):
    """The toy stages in the registry."""
    before = registry._entry_points

    def points(group):
        if group == "stages":
            return {name: SimpleNamespace(load=lambda stage=stage: stage) for name, stage in toy.STAGES.items()}
        return before(group)

    monkeypatch.setattr(registry, "_entry_points", points)
    registry.registered.cache_clear()
    toy.CALLS.clear()
    yield toy
    registry.registered.cache_clear()


@pytest.fixture
def project(toys, tmp_path):
    """A project of toy stages."""
    (tmp_path / "genwright.toml").write_text(SPEC)
    return Project.find(tmp_path)
