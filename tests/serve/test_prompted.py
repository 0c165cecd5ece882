"""A system with a prompt, served: what a client gets is what the pattern makes of the model's answers."""

import json
from urllib.request import Request, urlopen

import pytest

from genwright.core import component
from genwright.families.decoding import DecodeRequest, stream
from genwright.families.text_stream import TextStream
from genwright.systems.prompted import PromptedSystem
from genwright.systems.prompts import Prompt

from .conftest import make_system, start


def pattern_of(kind, **settings):
    return component("prompts", kind).config.parse({"kind": kind, **settings}, where="pattern")


def serving(monkeypatch, kind, **settings):
    """(address, stop, system without a prompt) of a server whose system has that prompt."""
    plain = make_system()
    prompted = PromptedSystem(plain, prompt=Prompt(pattern=pattern_of(kind, **settings)))
    monkeypatch.setitem(start.__globals__, "make_system", lambda: prompted)
    address, _, stop = start()
    return address, stop, plain


def ask(address, **body):
    data = json.dumps({"model": "tiny", "temperature": 0, "max_tokens": 5, **body}).encode()
    request = Request(f"{address}/v1/chat/completions", data, {"content-type": "application/json"})
    with urlopen(request, timeout=30) as reply:
        return reply.read().decode()


def greedy(system, text, max_tokens=5):
    """What the model says to a text, and with how many tokens."""
    request = DecodeRequest(
        prompt_ids=system.encode_prompt(text), max_new_tokens=max_tokens, seed=0, stop_ids=system.stop_ids,
        sampling=system.sampling.model_copy(update={"temperature": 0.0}), overflow="stop",
    )  # fmt: skip
    made = list(stream(system.decoder(1), request=request))
    text_stream = TextStream(system.decode, stop=())
    found = "".join(text_stream.feed(one.token_id) for one in made if one.token_id not in system.stop_ids)
    return found + text_stream.finish(), len(made)


SAID = [{"role": "user", "content": "hi"}]


def test_one_call_is_what_the_template_asks(monkeypatch):
    address, stop, plain = serving(monkeypatch, "zero-shot", template="<{{ input }}>")
    try:
        found = json.loads(ask(address, messages=SAID))
    finally:
        stop()
    wanted, count = greedy(plain, "<hi>")
    assert found["choices"][0]["message"]["content"] == wanted
    assert found["usage"] == {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count}


def test_all_calls_are_counted_and_the_last_one_is_streamed(monkeypatch):
    settings = {"refine": "{{ input }}?", "template": "{{ input }}{{ refined|length }}"}
    address, stop, plain = serving(monkeypatch, "refinement", **settings)
    try:
        body = ask(address, messages=SAID, stream=True, stream_options={"include_usage": True})
    finally:
        stop()
    refined, first = greedy(plain, "hi?")
    wanted, second = greedy(plain, f"hi{len(refined.strip())}")
    events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
    pieces = [choice["delta"].get("content") or "" for event in events for choice in event["choices"]]
    assert "".join(pieces) == wanted
    assert events[-1]["usage"]["completion_tokens"] == first + second


def test_an_answer_that_a_pattern_makes_comes_as_one_piece(monkeypatch):
    address, stop, plain = serving(monkeypatch, "chain-of-thought", template="{{ input }}", marker="zzz")
    try:
        found = json.loads(ask(address, messages=SAID))
    finally:
        stop()
    said, _ = greedy(plain, "hi")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    assert found["choices"][0]["message"]["content"] == (lines[-1] if lines else "")
    assert found["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("n", [1, 2])
def test_a_prompt_that_fills_the_context_is_refused(monkeypatch, n):
    address, stop, _ = serving(monkeypatch, "zero-shot", instruction="x" * 70)
    try:
        with pytest.raises(Exception, match="400"):
            ask(address, messages=SAID, n=n)
    finally:
        stop()
