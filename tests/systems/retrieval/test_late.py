"""Late interaction: the nearest token of a text for each of a question, computed once for a text."""

import numpy as np
import pytest

from genwright.core import SpecError
from genwright.project.quiet import Quiet
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.index import Index
from genwright.systems.retrieval.late import LateInteraction, Matched
from genwright.systems.retrieval.snapshot import write_snapshot
from genwright.systems.retrieval.store import Store

from .corpus import WordEncoder, cutting_for, document

pytest.importorskip("tantivy")
LATE = SearchConfig(late_interaction="on", late_weight=2.0)


class Counting(WordEncoder):
    """Counts the texts whose tokens it was asked for."""

    read = 0

    def tokens(self, texts, **more):
        self.read += len(texts)
        return super().tokens(texts, **more)


def test_the_score_is_the_mean_of_the_nearest():
    (found,) = LateInteraction(WordEncoder()).match("yellow banana?", ["Fruit\nA banana is bent."])
    assert found.cosines.shape == (2, 6), "punctuation asks for nothing; header and text have six tokens"
    assert found.nearest[1] == pytest.approx(1.0, abs=1e-3) and found.nearest[0] < 0.7
    assert found.score == pytest.approx(found.nearest.mean())
    assert Matched(np.zeros((2, 0), dtype=np.float32)).score == 0.0, "a text without tokens"


def test_a_text_is_read_once_and_the_oldest_is_let_go():
    encoder = Counting()
    late = LateInteraction(encoder, kept_tokens=6)
    first = late.match("sun", ["the sun shines"])[0].score
    assert late.match("sun", ["the sun shines", "the sun shines"])[1].score == first
    assert encoder.read == 2 + 1, "two questions and one text"
    late.match("sun", ["a moon rises late tonight", "the sun shines"])
    late.match("sun", ["a moon rises late tonight"])
    assert encoder.read == 4 + 1 + 2, "both do not fit, and what was met last stays"


@pytest.fixture
def index(tmp_path):
    encoder = Counting()
    pages = [
        document("near", "# Notes\n\nThe crimson kite flew above the quiet harbour all morning.\n"),
        document("far", "# Crimson\n\nCrimson crimson harbour harbour kite.\n"),
        document("else", "# Other\n\nNothing of the sort is said here.\n"),
    ]
    with Store(tmp_path / "store.sqlite") as store:
        store.update(pages, cutting=cutting_for(encoder), encoder=encoder, progress=Quiet())
        (tmp_path / "snapshot").mkdir()
        write_snapshot(store, tmp_path / "snapshot", encoder=encoder.identity, settings={})
    return Index.open(tmp_path / "snapshot", encoder=encoder, cache=tmp_path / "cache")


def test_it_puts_the_first_passages_in_another_order(index):
    question = "Which quiet kite flew above a crimson harbour in the morning, crimson crimson harbour harbour?"
    plain, late = index.search(question, k=3), index.searched(LATE).search(question, k=3)
    assert {one.document for one in plain.passages} == {one.document for one in late.passages}
    assert all(one.matched is None for one in plain.passages)
    before = {one.document: one.score for one in plain.passages}
    least = min(one.matched for one in late.passages)
    for one in late.passages:
        assert one.score == pytest.approx(before[one.document] + 2.0 * (one.matched - least))
    scores = [one.score for one in late.passages]
    assert scores == sorted(scores, reverse=True)
    assert late.passages[0].matched == max(one.matched for one in late.passages)
    assert index.searched(LATE.model_copy(update={"late_weight": 0.0})).search(question, k=3).passages[0].score == (
        plain.passages[0].score
    )


def test_what_is_beyond_its_depth_stays_behind(index):
    one = index.searched(LATE.model_copy(update={"late_depth": 1})).search("a harbour of kites", k=3)
    assert [passage.matched is not None for passage in one.passages] == [True, False, False]
    scores = [passage.score for passage in one.passages]
    assert scores == sorted(scores, reverse=True)


def test_a_long_question_is_cut_before_it_is_matched(index):
    found = index.searched(LATE).search("kite " * 20_000, k=2)
    assert "were left out" in found.degraded and np.isfinite(found.passages[0].matched)


def test_it_needs_an_encoder(index):
    with pytest.raises(SpecError, match="late interaction needs an encoder"):
        Index(
            index.snapshot, encoder=None, dense=None, bm25=index._bm25,
            config=SearchConfig(fusion="bm25", late_interaction="on"),
        )  # fmt: skip
