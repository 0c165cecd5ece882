"""Tools: calls fit their parameters whatever the model, and results go back to it."""

import json

import openai
import pytest

from genwright.serve.formats import closed
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


FLAT_WEATHER = {"type": "function", **WEATHER["function"]}
FLAT_CLOCK = {"type": "function", "name": "clock"}


def respond(client, **more):
    asked = {"model": "tiny", "input": "hi", "max_output_tokens": 120, "extra_body": {"seed": 1}}
    return client.responses.create(**asked | more)


def test_a_response_is_a_call_and_its_result_goes_back(wide):
    made = respond(wide, tools=[FLAT_WEATHER, FLAT_CLOCK], tool_choice="required")
    (call,) = made.output
    assert (call.type, call.status, made.status) == ("function_call", "completed", "completed")
    assert made.output_text == ""
    assert [tool.name for tool in made.tools] == ["weather", "clock"]
    if call.name == "weather":
        assert json.loads(call.arguments)["place"] in ("Rome", "Oslo")
    turns = [
        {"role": "user", "content": "hi"},
        call.model_dump(exclude_none=True),
        {"type": "function_call_output", "call_id": call.call_id, "output": "Rain."},
    ]
    answered = respond(wide, input=turns)
    assert answered.output[0].type == "message"
    same = ask(
        wide,
        messages=[
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": call.call_id,
                        "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": call.call_id, "content": "Rain."},
        ],
    )
    assert same.choices[0].message.content == answered.output_text


def test_a_streamed_response_sends_a_call_whole(wide):
    named = {"type": "function", "name": "weather"}
    whole = respond(wide, tools=[FLAT_WEATHER, FLAT_CLOCK], tool_choice=named)
    events = list(respond(wide, tools=[FLAT_WEATHER, FLAT_CLOCK], tool_choice=named, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds == [
        "created", "in_progress", "output_item.added", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done", "completed",
    ]  # fmt: skip
    (call,) = events[-1].response.output
    assert call.name == "weather"
    assert call.arguments == events[4].arguments == whole.output[0].arguments
    assert events[2].item.arguments == ""
    assert events[-1].response.tool_choice.name == "weather"


def test_a_response_in_words_among_tools_is_a_message(wide):
    told = respond(wide, tools=[FLAT_CLOCK], tool_choice="none", max_output_tokens=5)
    assert told.output[0].type == "message"
    cut = respond(wide, tools=[FLAT_WEATHER], max_output_tokens=2)
    assert (cut.status, cut.output[0].type) == ("incomplete", "message")
    events = list(respond(wide, tools=[FLAT_WEATHER], max_output_tokens=2, stream=True))
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.output_text == cut.output_text


def test_arguments_that_nobody_named_are_not_made_up():
    place = {"type": "object", "properties": {"x": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"at": place, "many": {"type": "array", "items": place}}}
    shut = {**place, "additionalProperties": False}
    assert closed(schema) == {
        "type": "object",
        "properties": {"at": shut, "many": {"type": "array", "items": shut}},
        "additionalProperties": False,
    }
    for word in ({"additionalProperties": True}, {"anyOf": [place]}, {"minProperties": 3}):
        assert closed(place | word) == place | word
    assert closed({"type": "object"}) == {"type": "object"}
    assert closed({"properties": {"x": True}})["properties"] == {"x": True}
