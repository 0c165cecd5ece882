"""A run that is killed while it embeds, and run again, ends with the digests of one that was not."""

import subprocess
import sys
from pathlib import Path

import pytest

from genwright.project import Project
from genwright.stages.index import building

from .test_index import digests, make_project, num_vectors

pytest.importorskip("tantivy")
pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

KILLED = """
import os, signal
from pathlib import Path
from genwright.nets.encoder.sentence import SentenceEncoder
from genwright.project import Project
from genwright.systems.retrieval import store
store.BATCH_CHUNKS = 4
embed, calls = SentenceEncoder.embed, iter(range(100))
def dying(self, texts, **more):
    if next(calls) == {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    return embed(self, texts, **more)
SentenceEncoder.embed = dying
Project.find(Path({folder!r})).run()
"""


def test_killed_and_gone_on_with_is_as_never_killed(tmp_path):
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
    killed, whole = (make_project(tmp_path / name) for name in ("killed", "whole"))
    for after in (1, 3):
        script = KILLED.format(after=after, folder=str(tmp_path / "killed"))
        done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
        assert done.returncode == -9, done.stderr
    assert num_vectors(Path(killed.root) / building.STORE) == 16, "four batches of four before the second kill"
    (resumed,) = Project.find(tmp_path / "killed").run()
    (straight,) = whole.run()
    assert digests(killed, resumed) == digests(whole, straight)
