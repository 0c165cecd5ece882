"""An index that tests open in several ways."""

import pytest

from genwright.project.quiet import Quiet
from genwright.systems.retrieval.index import Index
from genwright.systems.retrieval.snapshot import write_snapshot
from genwright.systems.retrieval.store import Store

from .corpus import WordEncoder, cutting_for, document

HARBOURS = ("kites", "boats", "tides")


@pytest.fixture
def make_index(tmp_path):
    """Opens, as it is told, an index of three pages that differ in one word."""
    encoder = WordEncoder()
    pages = [document(name, f"# Harbours\n\nA harbour has {name} all year.\n") for name in HARBOURS]
    with Store(tmp_path / "store.sqlite") as store:
        store.update(pages, cutting=cutting_for(encoder), encoder=encoder, progress=Quiet())
        (tmp_path / "snapshot").mkdir()
        write_snapshot(store, tmp_path / "snapshot", encoder=encoder.identity, settings={})

    def make(**more):
        return Index.open(tmp_path / "snapshot", encoder=encoder, cache=tmp_path / "cache", **more)

    return make
