"""A stage called without a project: scratch folders, silent progress, nothing recorded."""

import json
from contextlib import contextmanager

import pytest

from genwright.core import Artifact, Context
from genwright.core.digest import entries_digest, folder_entries


class SilentProgress:
    """Keeps what was reported, shows nothing."""

    def __init__(self):
        self.said = []

    @contextmanager
    def task(self, title, /, *, total):
        yield self

    def advance(self, amount=1, /, *, note=""):
        pass

    def say(self, message, /):
        self.said.append(message)


@pytest.fixture
def make_context(tmp_path_factory):
    """Makes a context; `inputs` are folders by (slot, kind)."""

    def make(root=None, *, inputs=None, seed=0, should_stop=lambda: False):
        work = tmp_path_factory.mktemp("work")
        for name in ("scratch", "checkpoints"):
            (work / name).mkdir()
        return Context(
            root=root or work,
            scratch=work / "scratch",
            checkpoints=work / "checkpoints",
            inputs=inputs or {},
            seed=seed,
            device="cpu",
            modality="text",
            progress=SilentProgress(),
            decide=lambda name, make: make(),
            should_stop=should_stop,
            log=lambda step, values: None,
        )

    return make


@pytest.fixture
def as_artifact():
    """Turns what a stage produced into what the next stage gets."""

    def turn(produced):
        return Artifact(produced.kind, entries_digest(folder_entries(produced.path)), produced.path)

    return turn


@pytest.fixture
def read_json():
    """Reads a JSON file."""
    return lambda path: json.loads(path.read_bytes())
