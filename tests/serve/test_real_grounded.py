"""The real `GroundedSystem` over a small index behind the real server: many questions at once, and the page."""

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest

pytest.importorskip("tantivy")

from ..systems.test_grounded import CATS, GROUNDING, system_of
from ..systems.test_grounded import fixture_index as _fixture_index  # noqa: F401 (the index of its tests)
from .conftest import start

DOCUMENTS = {CATS.id: CATS}


@pytest.fixture(name="real", scope="module")
def fixture_real(index):
    system = system_of(index, GROUNDING)
    address, _, stop = start(system=system, num_slots=4, max_queue=32, max_body_bytes=1 << 20)
    yield address, system
    stop()


def ask(address, question, **more):
    body = {"model": "tiny", "messages": [{"role": "user", "content": question}], **more}
    return httpx.post(f"{address}/v1/chat/completions", json=body, timeout=60)


def test_many_questions_at_once_are_answered_as_one_alone_is(real):
    address, system = real
    questions = ["How long does a cat sleep?", "What do cats eat?", "How often does a dog walk?", "What is a quasar?"]
    alone = {one: system.ask(one) for one in questions}
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda n: (questions[n % 4], ask(address, questions[n % 4])), range(24)))
    for question, answer in answers:
        body = answer.json()
        assert answer.status_code == 200, body
        assert body["choices"][0]["message"]["content"] == alone[question].text
        assert body["mode"] == alone[question].mode
        for sentence in body["citations"]:
            for span in sentence["spans"]:
                text = system.document(span["document"]).text
                assert text[span["start"] : span["end"]] == span["quote"]
    assert {alone[one].mode for one in questions} == {"extractive", "abstained"}


def test_filters_reach_the_index(real):
    address, _ = real
    body = ask(address, "How long does a cat sleep?", filters={"document": ["dogs"]}).json()
    assert {one["document"] for one in body["sources"]} <= {"dogs"}


def test_a_document_and_one_that_is_not_there(real):
    address, system = real
    sentence = system.ask("How long does a cat sleep?").sentences[0].citations[0]
    page = httpx.get(f"{address}/documents/{quote(sentence.document)}?at={sentence.start}-{sentence.end}").text
    assert re.search(r'<mark id="quote"[^>]*>([^<]*)</mark>', page)[1] == sentence.quote
    assert httpx.get(f"{address}/documents/nothing").status_code == 404


@pytest.mark.parametrize("question", ["x" * 100_000, "\x00\x1b[2J", "SELECT * FROM chunks; --", '"unclosed (query AND'])
def test_odd_questions_get_an_answer_or_a_reason(real, question):
    address, _ = real
    answer = ask(address, question)
    assert answer.status_code in (200, 400), answer.text[:300]
    assert ask(address, "How long does a cat sleep?").status_code == 200
