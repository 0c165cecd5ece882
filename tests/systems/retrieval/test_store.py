"""The store: only what is new is embedded, a kill loses nothing, and one content has one snapshot."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from genwright.core import DataError, IntegrityError, Interrupted
from genwright.core.lock import exclusive
from genwright.project.quiet import Quiet
from genwright.systems.retrieval import store as store_module
from genwright.systems.retrieval.snapshot import NAME, Snapshot, write_snapshot
from genwright.systems.retrieval.store import Store

from .corpus import DOCUMENTS, WordEncoder, cutting_for, document


class Heard(Quiet):
    """Progress that remembers what was said."""

    def __init__(self):
        self.said = []

    def say(self, message, /):
        self.said.append(message)


def update(store, documents, encoder=None, **settings):
    encoder = encoder or WordEncoder()
    return store.update(documents, cutting=cutting_for(encoder), encoder=encoder, progress=Quiet(), **settings)


def snapshot(store, folder, encoder="words"):
    folder.mkdir()
    return write_snapshot(store, folder, encoder=encoder, settings={"a": 1})


def test_only_what_changed_is_embedded(tmp_path):
    encoder = WordEncoder()
    with Store(tmp_path / "s.sqlite") as store:
        first = update(store, DOCUMENTS, encoder)
        assert (first.num_new, first.num_removed, first.num_embedded) == (3, 0, encoder.embedded)
        assert update(store, DOCUMENTS, encoder).num_embedded == 0
        changed = replace(DOCUMENTS[2], text=DOCUMENTS[2].text.replace("circles", "orbits"))
        second = update(store, [*DOCUMENTS[:2], changed], encoder)
        assert (second.num_new, second.num_kept, second.num_removed) == (1, 2, 1)
        assert second.num_embedded == 1, "of the changed document one chunk is as it was"


def test_what_went_leaves_a_tombstone_and_comes_back_without_work(tmp_path):
    encoder = WordEncoder()
    with Store(tmp_path / "s.sqlite") as store:
        update(store, DOCUMENTS, encoder)
        assert update(store, DOCUMENTS[:1], encoder).num_removed == 2
        assert [one.id for one, _ in store.rows()] == ["fruit"]
        assert store.num_tombstones() == 2
        before = encoder.embedded
        assert update(store, DOCUMENTS, encoder).num_new == 0
        assert encoder.embedded == before and store.num_tombstones() == 0
        update(store, DOCUMENTS[:1], encoder)
        assert store.compact() == 2 and store.num_tombstones() == 0
        assert update(store, DOCUMENTS, encoder).num_new == 2


def test_another_encoder_or_other_chunks_start_anew(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        update(store, DOCUMENTS)
        other = WordEncoder("others")
        assert update(store, DOCUMENTS, other).num_embedded == other.embedded > 0
        precise = WordEncoder()
        precise.precision = "bfloat16"
        assert update(store, DOCUMENTS, precise).num_embedded > 0


def test_one_content_has_one_snapshot_whatever_came_before(tmp_path):
    with Store(tmp_path / "a.sqlite") as straight, Store(tmp_path / "b.sqlite") as winding:
        update(straight, DOCUMENTS)
        update(winding, [document("x", "# Gone\n\nNothing stays.\n"), DOCUMENTS[1]])
        update(winding, DOCUMENTS[::-1])
        facts = snapshot(straight, tmp_path / "one")
        assert facts == snapshot(winding, tmp_path / "two")
        assert (tmp_path / "one" / NAME).read_bytes() == (tmp_path / "two" / NAME).read_bytes()
        update(straight, [replace(DOCUMENTS[0], url="https://example.org"), *DOCUMENTS[1:]])
        assert snapshot(straight, tmp_path / "three").digest != facts.digest


def test_spans_are_of_the_documents(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        update(store, [*DOCUMENTS, document("wide", "# Caf\u00e9\n\n\U0001f40d na\u00efve \u2014 text.\n")])
        snapshot(store, tmp_path / "i")
    found = Snapshot(tmp_path / "i")
    for chunk, text, owner in map(found.chunk, range(found.facts.num_chunks)):
        assert found.document(owner.id).text[chunk.start : chunk.end] == text
    with pytest.raises(DataError, match="no document 'nobody'"):
        found.document("nobody")


def test_an_empty_corpus_is_an_error(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        update(store, [document("blank", " \n\n")])
        with pytest.raises(DataError, match="no text to index"):
            snapshot(store, tmp_path / "i")


def test_a_stop_keeps_what_was_embedded(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "BATCH_CHUNKS", 1)
    encoder = WordEncoder()
    asked = iter([False] * 5 + [True] * 100)
    with Store(tmp_path / "s.sqlite") as store:
        with pytest.raises(Interrupted):
            update(store, DOCUMENTS, encoder, should_stop=lambda: next(asked))
        assert encoder.embedded == 2 and not list(store.rows()), "readers see the old documents until all is there"
        update(store, DOCUMENTS, encoder)
        assert encoder.embedded == 6


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from corpus import DOCUMENTS, WordEncoder, cutting_for
from genwright.project.quiet import Quiet
from genwright.systems.retrieval import store
store.BATCH_CHUNKS = 1
store.BATCH_DOCUMENTS = 1
class Dying(WordEncoder):
    def embed(self, texts, **more):
        if self.embedded == {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(texts, **more)
encoder = Dying()
with store.Store(Path({path!r})) as opened:
    opened.update(DOCUMENTS, cutting=cutting_for(encoder), encoder=encoder, progress=Quiet())
"""


@pytest.mark.slow
def test_killed_and_gone_on_with_is_as_never_killed(tmp_path):
    path = tmp_path / "s.sqlite"
    for after in (0, 2, 1):
        script = KILLED.format(tests=str(Path(__file__).parent), after=after, path=str(path))
        done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
        assert done.returncode == -9, done.stderr
    encoder = WordEncoder()
    with Store(path) as store, Store(tmp_path / "whole.sqlite") as whole:
        update(store, DOCUMENTS, encoder)
        assert encoder.embedded == 6 - 3, "the batches before each kill are kept"
        update(whole, DOCUMENTS)
        assert snapshot(store, tmp_path / "a") == snapshot(whole, tmp_path / "b")
    assert (tmp_path / "a" / NAME).read_bytes() == (tmp_path / "b" / NAME).read_bytes()


def test_a_second_process_waits_and_says_so(tmp_path):
    path = tmp_path / "s.sqlite"
    Store(path).close()
    heard = Heard()

    def index():
        encoder = WordEncoder()
        with Store(path) as store:
            return store.update(DOCUMENTS, cutting=cutting_for(encoder), encoder=encoder, progress=heard)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(index), pool.submit(index)
        assert {first.result().num_new, second.result().num_new} == {0, 3}
    with Store(path) as store, ThreadPoolExecutor(1) as pool:
        with exclusive(path.with_suffix(".lock")):
            waiting = pool.submit(lambda: update_with(path, heard))
            while not heard.said:
                assert not waiting.done()
        waiting.result()
        assert store.num_tombstones() == 0
    assert "another process is writing s.sqlite" in heard.said[-1]


def update_with(path, progress):
    encoder = WordEncoder()
    store = object.__new__(Store)
    store.path, store._is_held = path, False
    import sqlite3

    store._connection = sqlite3.connect(path, isolation_level=None)
    return store.update(DOCUMENTS, cutting=cutting_for(encoder), encoder=encoder, progress=progress)


def test_an_index_that_was_removed_while_it_is_used_is_named(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        update(store, DOCUMENTS)
        snapshot(store, tmp_path / "i")
    found = Snapshot(tmp_path / "i")
    (tmp_path / "i" / NAME).unlink()
    assert found.document("fruit").title == "fruit", "what is open stays open"
    with ThreadPoolExecutor(1) as pool, pytest.raises(IntegrityError, match="cannot be opened any more"):
        pool.submit(found.document, "fruit").result()


def test_what_is_no_store_is_named(tmp_path):
    (tmp_path / "s.sqlite").write_bytes(b"nonsense" * 1000)
    with pytest.raises(IntegrityError, match="is no store"):
        Store(tmp_path / "s.sqlite")
    with pytest.raises(IntegrityError, match=f"holds no {NAME}"):
        Snapshot(tmp_path)
    (tmp_path / NAME).write_bytes(b"nonsense" * 1000)
    with pytest.raises(IntegrityError, match="cannot be read as an index"):
        Snapshot(tmp_path)
