"""Tools: calls fit their parameters whatever the model, and results go back to it."""

import json

import openai
import pytest

from genwright.serve.schemas import ChatRequest
from genwright.serve.tools import read_answer

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"enum": ["Rome", "Oslo"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 3},
            },
            "required": ["place", "days"],
            "additionalProperties": False,
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}


@pytest.fixture(name="wide", scope="module")
def fixture_wide(start_server, tiny_system):
    """A server whose system has room for the tools."""
    system = tiny_system(context_tokens=1024)
    address, _, stop = start_server(system=system)
    yield openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0)
    stop()


def ask(client, **more):
    asked = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 120, "seed": 1}
    return client.chat.completions.create(**asked | more)


def test_a_call_that_is_required_fits_its_parameters(wide):
    for seed in range(3):
        choice = ask(wide, tools=[WEATHER], tool_choice="required", seed=seed).choices[0]
        assert choice.finish_reason == "tool_calls"
        (call,) = choice.message.tool_calls
        assert call.function.name == "weather"
        found = json.loads(call.function.arguments)
        assert found["place"] in ("Rome", "Oslo")
        assert 1 <= found["days"] <= 3
        assert choice.message.content is None


def test_one_function_can_be_named(wide):
    named = {"type": "function", "function": {"name": "clock"}}
    choice = ask(wide, tools=[WEATHER, CLOCK], tool_choice=named).choices[0]
    assert [call.function.name for call in choice.message.tool_calls] == ["clock"]
    assert choice.message.tool_calls[0].function.arguments == "{}"


def test_a_stream_sends_a_call_whole(wide):
    chunks = list(ask(wide, tools=[WEATHER], tool_choice="required", stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    (calls,) = [delta.tool_calls for delta in deltas if delta.tool_calls]
    assert json.loads(calls[0].function.arguments)["place"] in ("Rome", "Oslo")
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_results_go_back_to_the_model(wide):
    call = ask(wide, tools=[CLOCK], tool_choice="required").choices[0].message
    result = {"role": "tool", "tool_call_id": call.tool_calls[0].id, "content": "noon"}
    messages = [{"role": "user", "content": "hi"}, call.model_dump(exclude_none=True), result]
    assert ask(wide, messages=messages, tools=[CLOCK], tool_choice="none").choices[0].message.content is not None


def test_what_is_told_to_the_model():
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [WEATHER]}
    (role, told), turn = ChatRequest.model_validate(body).turns
    assert role == "system"
    assert '"name": "weather"' in told
    assert "in words" in told
    assert turn == ("user", "hi")


def test_answers_in_words_and_answers_cut_off():
    assert read_answer('{"answer": "no"}') == ("no", [])
    assert read_answer('{"name": "clo') == ('{"name": "clo', [])


@pytest.mark.parametrize(
    "more",
    [
        {"tool_choice": "required"},
        {"tools": [CLOCK], "tool_choice": {"type": "function", "function": {"name": "other"}}},
        {"tools": [CLOCK], "response_format": {"type": "json_object"}},
    ],
)
def test_what_does_not_fit_is_refused(wide, more):
    with pytest.raises(openai.BadRequestError):
        ask(wide, **more)
