"""Responses, embeddings and JSON schemas, asked by the real OpenAI client."""

import json

import httpx
import numpy as np
import openai
import pytest
from pydantic import BaseModel

SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["cat", "dog"]}, "count": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["kind", "count"],
    "additionalProperties": False,
}
ASK = {"model": "tiny", "input": "hello", "max_output_tokens": 12, "temperature": 0}


class Answer(BaseModel):
    kind: str
    count: int


def test_a_response_holds_the_answer_and_its_usage(client):
    made = client.responses.create(**ASK, instructions="Be brief.")
    assert made.status in ("completed", "incomplete")
    assert made.output_text == made.output[0].content[0].text
    assert made.usage.output_tokens == 12
    assert made.usage.total_tokens == made.usage.input_tokens + 12
    chat = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}],
        max_tokens=12,
        temperature=0,
    )
    assert chat.choices[0].message.content == made.output_text


def test_a_stream_builds_up_the_same_response(client):
    whole = client.responses.create(**ASK)
    events = list(client.responses.create(**ASK, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", whole.status]
    assert set(kinds[4:-4]) == {"output_text.delta"}
    assert "".join(event.delta for event in events if event.type.endswith("delta")) == whole.output_text
    assert events[-1].response.output_text == whole.output_text
    assert events[-1].response.usage == whole.usage


def test_a_conversation_is_sent_whole(client):
    first = client.responses.create(**ASK)
    turns = [{"role": "user", "content": "hello"}, first.output[0].model_dump(), {"role": "user", "content": "more"}]
    assert client.responses.create(**{**ASK, "input": turns}).output_text is not None
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        client.responses.create(**ASK, previous_response_id=first.id)


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "web_search"}]},
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "name": "nobody"}},
        {"background": True},
        {"truncation": "auto"},
    ],
)
def test_what_a_response_cannot_have_is_refused(client, more):
    with pytest.raises(openai.BadRequestError):
        client.responses.create(**ASK, **more)


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
INPUT_PICTURE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}


def test_pictures_and_other_items_are_refused_by_their_place(client):
    with pytest.raises(openai.BadRequestError, match="'image_url'") as refused:
        text = {"type": "text", "text": "What is this?"}
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": [text, PICTURE]}])
    assert (refused.value.code, refused.value.param) == ("unsupported", "messages.0.content.1")
    said = {"role": "user", "content": "hello"}
    for wrong, place in (
        ([{"role": "user", "content": [INPUT_PICTURE]}], "input.0.content.0"),
        ([said, {"type": "item_reference", "id": "msg_1"}], "input.1"),
        ([said, {"type": "function_call_output", "call_id": "c", "output": [INPUT_PICTURE]}], "input.1.output.0"),
    ):
        with pytest.raises(openai.BadRequestError, match="nothing else") as refused:
            client.responses.create(**{**ASK, "input": wrong})
        assert (refused.value.code, refused.value.param) == ("unsupported", place)


def test_an_answer_fits_its_schema(client):
    form = {"type": "json_schema", "json_schema": {"name": "pet", "schema": SCHEMA}}
    for seed in range(3):
        made = client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": "a pet"}],
            response_format=form,
            max_tokens=40,
            seed=seed,
        )
        found = json.loads(made.choices[0].message.content)
        assert found["kind"] in ("cat", "dog")
        assert 0 <= found["count"] <= 9
        assert made.choices[0].finish_reason == "stop"


def test_a_schema_in_a_response_is_kept(client):
    made = client.responses.create(
        **{**ASK, "max_output_tokens": 40},
        text={"format": {"type": "json_schema", "name": "pet", "schema": SCHEMA, "strict": True}},
    )
    assert Answer.model_validate_json(made.output_text).kind in ("cat", "dog")
    assert made.text.format.type == "json_schema"


def test_a_schema_that_cannot_be_enforced_is_refused(client):
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "no such type"}}}
    with pytest.raises(openai.BadRequestError, match="cannot be enforced"):
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "a"}], response_format=form)


def test_embeddings_have_length_one_in_both_forms(client, server):
    made = client.embeddings.create(model="tiny", input=["one text", "another", "one text"])  # base64 by default
    vectors = np.array([row.embedding for row in made.data])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    plain = httpx.post(f"{server.address}/v1/embeddings", json={"model": "tiny", "input": "another"}).json()
    np.testing.assert_allclose(plain["data"][0]["embedding"], vectors[1], rtol=1e-6)
    assert made.usage.prompt_tokens == 9 + 8 + 9
    with pytest.raises(openai.BadRequestError, match="context"):
        client.embeddings.create(model="tiny", input="x" * 100)
