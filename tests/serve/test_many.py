"""Many streams at once: every one of them is answered whole, and as if it had been alone."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from .fake_grounded import FakeGrounded

STREAMS, TOKENS = 64, 12


def stream(address, number):
    body = {"model": "tiny", "prompt": f"{number} ", "max_tokens": TOKENS, "seed": number, "stream": True}
    body["stream_options"] = {"include_usage": True}
    with httpx.stream("POST", f"{address}/v1/completions", json=body, timeout=60) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    finished = [one["choices"][0]["finish_reason"] for one in chunks if one["choices"]]
    assert finished[-1] in ("stop", "length")
    return "".join(one["choices"][0]["text"] for one in chunks if one["choices"]), chunks[-1]["usage"]


@pytest.mark.slow
def test_64_streams_lose_nothing(start_server):
    address, engine, stop = start_server(num_slots=8, max_queue=64)
    try:
        with ThreadPoolExecutor(STREAMS) as pool:
            together = list(pool.map(lambda number: stream(address, number), range(STREAMS)))
        assert engine.load == (0, 0)
        assert all(0 < usage["completion_tokens"] <= TOKENS for _, usage in together)
        for number in (0, 31, 63):
            assert stream(address, number) == together[number]
        assert httpx.get(f"{address}/health").json()["status"] == "ok"
    finally:
        stop()


@pytest.mark.slow
def test_64_questions_lose_nothing(start_server):
    address, engine, stop = start_server(system=FakeGrounded(), num_slots=8, max_queue=64)
    ask = {"model": "tiny", "messages": [{"role": "user", "content": "iterable"}], "stream": True}

    def question(_):
        return httpx.post(f"{address}/v1/chat/completions", json=ask, timeout=60).text.rstrip().endswith("[DONE]")

    try:
        with ThreadPoolExecutor(STREAMS) as pool:
            assert all(pool.map(question, range(STREAMS)))
        assert engine.load == (0, 0)
    finally:
        stop()
