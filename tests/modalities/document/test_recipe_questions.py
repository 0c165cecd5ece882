"""The questions of the recipe `python-help`: every quote stands in CPython's topics, and every fact in its quote."""

import sys
from pathlib import Path

import pytest

from genwright.modalities.document.config import DocumentSourceConfig
from genwright.modalities.document.questions import halves, read_questions
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


def test_halves_are_of_one_size(topics):
    first, second = halves(read_questions(FILE, documents=topics), seed=0)
    assert abs(len(first) - len(second)) <= 8
