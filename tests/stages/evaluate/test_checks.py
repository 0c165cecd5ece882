"""What is to be measured and cannot be is refused at planning."""

from pathlib import Path
from typing import Any

import pytest

from genwright.core import GenwrightError
from genwright.project import Project

SPEC = """
[project]
name = "asked"
modality = "{modality}"
[data]
[[data.sources]]
path = "."
licence = "none"
[fit]
[train]
[evaluate]
"""
FITTING: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("image", ("train.family=diffusion", "evaluate.metrics.restoration={}")),
    ("image", ("train.family=vae", 'fit.condition=[{column="label"}]')),
    ("image", ("train.family=latent", 'fit.condition=[{column="label"}]', "evaluate.guidance=3")),
    ("molecule", ('fit.condition=[{column="logp", kind="number"}]', "evaluate.metrics.asked=logp")),
)
REFUSED: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("image", ("train.family=vae", "evaluate.metrics.restoration={}"), "family 'vae', fit.codec 'image-grid'"),
    ("image", ("train.family=vae", 'fit.condition=[{column="label"}]', "evaluate.guidance=3"), "'vae' cannot guide"),
    ("molecule", ("evaluate.metrics.asked=logp",), "fit.condition does not name it"),
)


def plan(folder: Path, modality: str, settings: tuple[str, ...]) -> Any:
    (folder / "genwright.toml").write_text(SPEC.format(modality=modality))
    return Project.find(folder).plan(overrides=settings)


@pytest.mark.parametrize(("modality", "settings"), FITTING)
def test_what_the_family_can_is_planned(tmp_path, modality, settings) -> None:
    assert plan(tmp_path, modality, settings)


@pytest.mark.parametrize(("modality", "settings", "message"), REFUSED)
def test_what_the_family_cannot_is_refused(tmp_path, modality, settings, message) -> None:
    with pytest.raises(GenwrightError, match=message):
        plan(tmp_path, modality, settings)
