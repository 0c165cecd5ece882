"""The questions of the recipe `python-help`: every quote stands in CPython's topics, and every fact in its quote."""

import sys
from pathlib import Path

import pytest

from genwright.modalities.document.config import DocumentSourceConfig
from genwright.modalities.document.questions import halves, read_questions, read_unanswerable
from genwright.modalities.document.reading import read_documents

FILE = Path(__file__).parents[3] / "recipes" / "python-help" / "questions.jsonl"


@pytest.fixture(scope="module")
def topics():
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the quotes are of the topics of CPython 3.11")
    found = read_documents(DocumentSourceConfig(path="python:pydoc_data/topics.py"), root=Path())
    return {document.id: document for document in found}


def test_quotes_and_facts_are_there(topics):
    questions = read_questions(FILE, documents=topics)
    assert len(questions) >= 120
    assert len({one.document for one in questions}) >= 45
    assert len({one.text.casefold() for one in questions}) == len(questions)
    for one in questions:
        (span,) = one.spans
        quote = " ".join(topics[one.document].text[slice(*span)].split())
        assert one.facts and all(" ".join(fact.split()) in quote for fact in one.facts), one.id


def test_what_the_topics_do_not_say():
    asked = read_unanswerable(FILE.with_name("unanswerable.jsonl"))
    assert len({text.casefold() for text, _ in asked}) == len(asked) == 80
    assert [half for _, half in asked].count("test") == 40


def test_what_was_held_out_stays_so(topics):
    questions = read_questions(FILE, documents=topics)
    first, second = (halves(questions, seed=seed)[1] for seed in (0, 1))
    assert first == second == [one for one in questions if one.half == "test"] and len(first) == 82
