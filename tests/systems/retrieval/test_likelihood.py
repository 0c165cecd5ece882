"""Searching with the likelihood of the question: the first passages in another order, all others behind them."""

import pytest

from genwright.core import SpecError
from genwright.systems.retrieval.config import SearchConfig

pytest.importorskip("tantivy")
LIKELY = SearchConfig(likelihood="on", likelihood_weight=0.5)
NATS = {"kites": -9.0, "boats": -2.0, "tides": -5.0}


def said(query, texts):
    """Nats by what a text is of; every text stands below its header."""
    assert query and all("\n" in text for text in texts)
    return [next(value for name, value in NATS.items() if name in text) for text in texts]


def test_the_passage_that_makes_the_question_likely_comes_first(make_index):
    plain = make_index().search("harbour kites", k=3).passages
    found = make_index(config=LIKELY, likely=said).search("harbour kites", k=3)
    before = {one.document: one.score for one in plain}
    assert plain[0].document == "kites" and plain[0].likelihood is None
    assert [one.document for one in found.passages] == ["boats", "tides", "kites"]
    for one in found.passages:
        assert one.likelihood == NATS[one.document]
        assert one.score == pytest.approx(before[one.document] + 0.5 * (NATS[one.document] + 9.0))
    assert found.seconds["likelihood"] >= 0.0


def test_what_is_beyond_its_depth_stays_behind(make_index):
    config = LIKELY.model_copy(update={"likelihood_depth": 2})
    found = make_index(config=config, likely=said).search("harbour kites", k=3).passages
    assert [one.likelihood is None for one in found] == [False, False, True]
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)


def test_it_needs_a_language_model(make_index):
    with pytest.raises(SpecError, match="needs a language model"):
        make_index(config=LIKELY)
    assert make_index(likely=said).searched(LIKELY).search("harbour", k=1).passages[0].document == "boats"
