"""Questions: exact places, halves that share no document, and questions made of structure."""

import json
from dataclasses import replace

import pytest

from genwright.core import DataError
from genwright.modalities.document.asking import asked, asking, constructed
from genwright.modalities.document.document import Chunk, Document
from genwright.modalities.document.questions import Question, halves, read_questions

TEXT = "Title\n=====\n\nThe answer is blue.\nIt was red. It was red.\n"
DOCUMENTS = {one.id: one for one in (Document("set#colours", "C", TEXT, "rst"), Document("a/b#more", "M", "words"))}


def read(tmp_path, *rows):
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in rows))
    return read_questions(path, documents=DOCUMENTS)


def row(**fields):
    return {"question": "What?", "document": "colours", "quote": "The answer is blue.", **fields}


def test_places_are_exact(tmp_path):
    other = {"question": "Q?", "document": "a/b#more", "start": 1, "end": 4}
    first, second, third = read(tmp_path, row(facts=["blue"]), "", row(quote=["blue", "The answer"], id="x"), other)
    start = TEXT.index("The")
    assert first == Question("questions-1", "What?", "set#colours", ((start, start + 19),), ("blue",))
    assert [TEXT[a:b] for a, b in second.spans] == ["The answer", "blue"]
    assert (third.document, third.spans) == ("a/b#more", ((1, 4),))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        (row(question=" "), "'question'"),
        (row(document=3), "'document'"),
        (row(document="nothing"), "no document 'nothing'"),
        (row(quote="green"), "does not hold"),
        (row(quote="It was red."), "more than once"),
        (row(quote=""), "empty"),
        (row(facts="blue"), "'facts'"),
        ({"question": "Q?", "document": "colours"}, "neither"),
        ({"question": "Q?", "document": "colours", "start": 5, "end": 9999}, "neither"),
    ],
)
def test_wrong_lines_are_named(tmp_path, line, why):
    with pytest.raises(DataError, match=rf"questions\.jsonl:1.*{why}"):
        read(tmp_path, line)


def test_ids_are_unique(tmp_path):
    with pytest.raises(DataError, match="two questions have the id 'x'"):
        read(tmp_path, row(id="x"), row(id="x"))


def test_halves_share_no_document_and_repeat():
    questions = [Question(f"{d}-{n}", "Q?", f"d{d}", ((0, 1),)) for d in range(40) for n in range(d % 4 + 1)]
    first, second = halves(questions, seed=3)
    assert not {one.document for one in first} & {one.document for one in second}
    assert sorted([*first, *second], key=lambda one: one.id) == sorted(questions, key=lambda one: one.id)
    assert abs(len(first) - len(second)) <= 4
    assert halves(questions, seed=3) == (first, second)
    assert halves(questions, seed=4) != (first, second)


def test_a_document_stays_in_the_half_that_it_was_given(tmp_path):
    asked = [Question(f"{d}-{n}", "Q?", f"d{d}", ((0, 1),)) for d in range(20) for n in range(2)]
    asked = [replace(one, half="test") if one.id in ("3-0", "7-1") else one for one in asked]
    for seed in range(8):
        first, second = halves(asked, seed=seed)
        assert {"d3", "d7"} <= {one.document for one in second} and len(first) == len(second)
    with pytest.raises(DataError, match="'d3' are said to be in both halves"):
        halves([*asked, replace(asked[7], id="again", half="development")], seed=0)
    with pytest.raises(DataError, match=r"questions\.jsonl:1: 'half' is 'train', and may be"):
        read(tmp_path, row(half="train"))
    assert read(tmp_path, row(half="test"))[0].half == "test"


RST = """\
Guide
=====

Why is it so?
-------------

Because of that.

Installing the parts
--------------------

Take them out.

More words.

Introduction
------------

Nothing.

.. function:: spam(a)

   Makes spam.

.. data:: EGGS

   How many.
"""


def test_questions_of_structure():
    document = Document("g", "Guide", RST, "rst")
    found = {one.text: (one.origin, RST[slice(*one.spans[0])]) for one in constructed([document])}
    assert found == {
        "Why is it so?": ("faq", "Because of that."),
        "What does the documentation say about Installing the parts?": ("heading", "Take them out.\n\nMore words."),
        "What does spam() do?": ("definition", ".. function:: spam(a)\n\n   Makes spam."),
        "What is meant by EGGS?": ("definition", ".. data:: EGGS\n\n   How many."),
    }
    assert constructed([document, Document("h", "Guide", RST, "rst")]) == []


def test_a_model_is_asked_and_read():
    document = Document("g", "Guide", "The sky is blue.")
    chunk = Chunk("g", 0, 0, 16, "Guide > Sky")
    (message,) = asking(document, chunk, num=2)
    assert "The sky is blue." in message["content"] and "2 different questions" in message["content"]
    answer = '1. What colour is the sky?\n- "What colour is the sky?"\n* Why?\nIt is blue.\n2) Is it **blue up there**?'
    assert [one.text for one in asked(answer, document, chunk)] == [
        "What colour is the sky?",
        "Is it **blue up there**?",
    ]
    assert asked(answer, document, chunk)[0] == Question(
        "g#0-16:1", "What colour is the sky?", "g", ((0, 16),), (), "model"
    )
