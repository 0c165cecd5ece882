"""A grounded system behind the API: answers with their sources, whole and streamed, and what is refused."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from .conftest import start
from .fake_grounded import DOCUMENTS, FakeGrounded

MESSAGES = [{"role": "user", "content": "How is a list sorted?"}]


@pytest.fixture(scope="module")
def system():
    return FakeGrounded()


@pytest.fixture(scope="module")
def address(system):
    found, _, stop = start(system=system)
    yield found
    stop()


@pytest.fixture(scope="module")
def asking(address):
    return openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0)


def test_a_chat_comes_with_its_sources_and_every_sentence_with_its_spans(asking):
    made = asking.chat.completions.create(model="tiny", messages=MESSAGES)
    body = made.model_dump()
    text = made.choices[0].message.content
    assert text.endswith("sorted() builds a new list from any iterable. [1]")
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (7, 3)
    assert (body["mode"], body["confidence"], body["note"]) == ("extractive", 0.87, None)
    assert [one["n"] for one in body["sources"]] == [1]
    for source in body["sources"]:
        assert DOCUMENTS[source["document"]].text[source["start"] : source["end"]] == source["quote"]
    for sentence in body["citations"]:
        assert text[sentence["start"] : sentence["end"]].startswith(sentence["text"])
        for span in sentence["spans"]:
            assert DOCUMENTS[span["document"]].text[span["start"] : span["end"]] == span["quote"]
    mark = made.choices[0].message.annotations[0].url_citation
    assert text[mark.start_index : mark.end_index] == text
    assert mark.url == DOCUMENTS["library/lists"].url


def test_a_stream_says_the_same(asking):
    whole = asking.chat.completions.create(model="tiny", messages=MESSAGES).model_dump()
    chunks = [
        one.model_dump()
        for one in asking.chat.completions.create(
            model="tiny", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    ]
    told = "".join(one["choices"][0]["delta"]["content"] or "" for one in chunks if one["choices"])
    assert told == whole["choices"][0]["message"]["content"]
    assert [one["sources"] for one in chunks if "sources" in one] == [whole["sources"]]
    assert [cited for one in chunks for cited in one.get("citations", [])] == whole["citations"]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-2]["mode"] == "extractive"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"] | {
        "completion_tokens_details": None, "prompt_tokens_details": None
    }  # fmt: skip


def test_a_response_has_annotations_of_its_form(asking):
    made = asking.responses.create(model="tiny", input="Which statement closes a file?")
    (mark,) = made.output[0].content[0].annotations
    assert (mark.type, mark.file_id, mark.filename) == ("file_citation", "library/files", "Files")
    assert made.model_dump()["sources"][0]["document"] == "library/files"
    linked = asking.responses.create(model="tiny", input="iterable")
    (mark,) = linked.output[0].content[0].annotations
    assert mark.type == "url_citation"
    assert linked.output_text[mark.start_index : mark.end_index] == linked.output_text


def test_a_streamed_response_builds_up_the_same(asking):
    whole = asking.responses.create(model="tiny", input="How is a list sorted?")
    events = list(asking.responses.create(model="tiny", input="How is a list sorted?", stream=True))
    assert [one.sequence_number for one in events] == list(range(len(events)))
    assert "".join(one.delta for one in events if one.type == "response.output_text.delta") == whole.output_text
    marks = [one.annotation for one in events if one.type == "response.output_text.annotation.added"]
    assert [mark.model_dump() for mark in marks] == [
        mark.model_dump() for mark in whole.output[0].content[0].annotations
    ]
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == whole.output_text
    assert events[-1].response.model_dump()["citations"] == whole.model_dump()["citations"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_abstention_says_so(asking, stream):
    ask = [{"role": "user", "content": "What is the weather?"}]
    made = asking.chat.completions.create(model="tiny", messages=ask, stream=stream)
    if stream:
        chunks = list(made)
        text, body = "".join(one.choices[0].delta.content or "" for one in chunks), chunks[-1].model_dump()
    else:
        text, body = made.choices[0].message.content, made.model_dump()
    assert text.startswith("I did not find an answer")
    assert (body["mode"], body["confidence"]) == ("abstained", 0.11)


def test_earlier_messages_are_history_and_filters_are_passed_on(asking, system):
    turns = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi [1]", "annotations": [{"type": "url_citation"}]},
        *MESSAGES,
    ]
    made = asking.chat.completions.create(model="tiny", messages=turns, extra_body={"filters": {"source": ["odd"]}})
    assert system.asked[-1] == (
        MESSAGES[0]["content"],
        (("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi [1]")),
        {"source": ["odd"]},
    )
    assert made.model_dump()["mode"] == "abstained"


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 0.7}, {"n": 2}, {"stop": "x"}, {"logprobs": True}, {"response_format": {"type": "json_object"}},
        {"tools": [{"type": "function", "function": {"name": "f"}}]}, {"extra_body": {"filters": {"colour": ["red"]}}},
        {"messages": [{"role": "assistant", "content": "no question"}]},
        {"messages": [{"role": "user", "content": "this is too long"}]},
    ],
)  # fmt: skip
def test_what_would_change_nothing_is_refused(asking, more):
    with pytest.raises(openai.BadRequestError) as refused:
        asking.chat.completions.create(**{"model": "tiny", "messages": MESSAGES, **more})
    assert set(refused.value.body) == {"message", "type", "param", "code"}


def test_what_clients_send_by_default_is_no_reason_to_refuse(asking):
    made = asking.chat.completions.create(
        model="tiny", messages=MESSAGES, temperature=0, top_p=1, n=1, seed=3, max_tokens=500
    )
    assert made.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("route", ["completions", "embeddings"])
def test_other_routes_are_unsupported(address, route):
    answer = httpx.post(f"{address}/v1/{route}", json={"model": "tiny", "prompt": "a", "input": "a"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "unsupported"


def test_a_defect_in_the_system_is_told_and_the_next_question_works(asking):
    with pytest.raises(openai.InternalServerError, match="a defect"):
        asking.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "a defect"}])
    with pytest.raises(openai.APIError, match="a defect"):
        list(asking.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "a defect"}], stream=True
        ))  # fmt: skip
    events = list(asking.responses.create(model="tiny", input="a defect", stream=True))
    assert events[-1].type == "response.failed"
    assert asking.chat.completions.create(model="tiny", messages=MESSAGES).choices[0].finish_reason == "stop"


def test_models_health_and_metrics(address):
    assert httpx.get(f"{address}/v1/models").json()["data"][0]["id"] == "tiny"
    assert httpx.get(f"{address}/health").json()["status"] == "ok"
    assert "genwright_completion_tokens_total" in httpx.get(f"{address}/metrics").text


def test_more_than_wait_are_refused_and_the_others_answered():
    system = FakeGrounded()
    address, engine, stop = start(system=system, num_slots=1, max_queue=1)
    ask = {"model": "tiny", "messages": [{"role": "user", "content": "list slowly"}]}
    try:
        with ThreadPoolExecutor(6) as pool:
            waiting = [
                pool.submit(httpx.post, f"{address}/v1/chat/completions", json=ask, timeout=30) for _ in range(6)
            ]
            deadline = time.monotonic() + 10
            while sum(one.done() for one in waiting) < 4 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert engine.load == (1, 1)
            system.go_on.set()
            answers = [one.result() for one in waiting]
        assert sorted(one.status_code for one in answers) == [200, 200, 429, 429, 429, 429]
        refused = next(one for one in answers if one.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert engine.load == (0, 0)
    finally:
        stop()


def test_a_client_that_leaves_frees_its_thread():
    system = FakeGrounded()
    address, engine, stop = start(system=system, num_slots=1, max_queue=0)
    ask = {"model": "tiny", "messages": [{"role": "user", "content": "list slowly"}], "stream": True}
    try:
        with httpx.stream("POST", f"{address}/v1/chat/completions", json=ask, timeout=30) as answer:
            first = next(line for line in answer.iter_lines() if line)
            assert json.loads(first.removeprefix("data: "))["choices"][0]["delta"]["role"] == "assistant"
        system.go_on.set()
        deadline = time.monotonic() + 10
        while engine.load != (0, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert engine.load == (0, 0)
    finally:
        stop()
