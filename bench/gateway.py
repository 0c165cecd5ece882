"""What the gateway adds to the first byte over an engine asked directly, and 64 streams at once.

python bench/gateway.py    (reads the package of SmolLM2-135M and quantises it once to q4_0; about a minute)

First bytes are asked by turns, the same prompt of both, and differences are taken pair by pair. The tiny net's step
costs next to nothing, so what is left is the gateway itself.
"""

import http.client
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

import conformance
import engines
import report
from genwright.families import SamplingConfig
from genwright.families.decoding import DecodeRequest
from genwright.serve.parity import serving_at

PAIRS, STREAMS, TOKENS, SLOTS = 60, 64, 16, 8
PROMPT = "Question {number}: what should everyone know about the sea?\n\nAnswer:"


def post(port: int, key: str, body: dict[str, Any]) -> http.client.HTTPResponse:
    """The answer of the gateway, as it begins."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/completions", json.dumps({"model": "parity", **body}), headers)
    return connection.getresponse()


def by_gateway(port: int, key: str) -> Callable[[str], float]:
    """Milliseconds to the first token of a stream."""

    def first(prompt: str) -> float:
        begin = time.perf_counter()
        answer = post(port, key, {"prompt": prompt, "max_tokens": 2, "temperature": 0, "stream": True})
        line = answer.readline()
        took = 1000 * (time.perf_counter() - begin)
        assert json.loads(line.removeprefix(b"data: "))["choices"]
        answer.read()
        return took

    return first


def by_llama(system: Any) -> Callable[[str], float]:
    """The same of llama.cpp's own server, asked for the same in its words."""
    decoder = system.decoder(SLOTS)

    def first(prompt: str) -> float:
        begin = time.perf_counter()
        asked = DecodeRequest(system.encode_prompt(prompt), 2, SamplingConfig(temperature=0.0), with_logprobs=False)
        connection = decoder.process.open("/completion", decoder._body(asked))
        events = connection.events()
        next(events)
        took = 1000 * (time.perf_counter() - begin)
        for _ in events:
            pass
        connection.close()
        return took

    return first


def by_decoder(system: Any) -> Callable[[str], float]:
    """The same of a decoder in this process."""

    decoder = system.decoder(SLOTS)

    def first(prompt: str) -> float:
        begin = time.perf_counter()
        slot = decoder.add(DecodeRequest(system.encode_prompt(prompt), 2, SamplingConfig(temperature=0.0)))
        while not decoder.step():
            pass
        took = 1000 * (time.perf_counter() - begin)
        decoder.free(slot)
        return took

    return first


def first_bytes(direct: Callable[[str], float], served: Callable[[str], float]) -> list[tuple[float, float]]:
    """Milliseconds of both, pair by pair, in turn first and second."""
    for ask in (direct, served):
        ask("a")
    pairs = []
    for number in range(PAIRS):
        prompt = PROMPT.format(number=number)
        if number % 2:
            late = served(prompt)
            pairs.append((direct(prompt), late))
        else:
            pairs.append((direct(prompt), served(prompt)))
    return pairs


def stream(port: int, key: str, number: int) -> bool:
    """Whether one of many streams came whole."""
    body = {"prompt": PROMPT.format(number=number), "max_tokens": TOKENS, "seed": number, "stream": True}
    answer = post(port, key, {**body, "stream_options": {"include_usage": True}})
    lines = answer.read().decode().split("\n\n")
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    ended = [one["choices"][0]["finish_reason"] for one in chunks if one.get("choices")]
    return answer.status == 200 and lines[-2] == "data: [DONE]" and ended[-1] in ("stop", "length")


def rows_of(name: str, pairs: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """Both medians, and that of the differences with its quartiles."""
    low, median, high = statistics.quantiles([served - direct for direct, served in pairs], n=4)
    told = [
        {"what": f"first byte, {name}, {how}", "value": round(statistics.median(values), 2), "unit": "ms"}
        for how, values in zip(("asked directly", "through the gateway"), zip(*pairs, strict=True), strict=True)
    ]
    added = {"what": f"what the gateway adds to the first byte, {name}", "value": round(median, 2), "unit": "ms"}
    spread = f"quartiles {low:.2f} and {high:.2f} of {len(pairs)} pairs"
    return [*told, {**added, "goal": "at most 3", "note": spread}]


def main() -> None:
    """First bytes over both engines, then many streams over llama.cpp."""
    torch.set_num_threads(1)
    tiny = conformance.make_system()
    with serving_at(tiny, num_slots=SLOTS) as (port, key):
        small = first_bytes(by_decoder(tiny), by_gateway(port, key))
    system, _ = engines.make_system()
    with serving_at(system, num_slots=SLOTS) as (port, key):
        pairs = first_bytes(by_llama(system), by_gateway(port, key))
        begin = time.perf_counter()
        with ThreadPoolExecutor(STREAMS) as pool:
            whole = sum(pool.map(lambda number: stream(port, key, number), range(STREAMS)))
        took = time.perf_counter() - begin
    many = [
        {"what": f"{STREAMS} streams at once that came whole", "value": whole, "unit": "streams", "goal": str(STREAMS)},
        {"what": f"{STREAMS} streams of {TOKENS} tokens, until the last ended", "value": round(took, 1), "unit": "s"},
    ]
    report.write(
        "gateway",
        title="The gateway",
        command="python bench/gateway.py",
        rows=[*rows_of("llama.cpp q4_0", pairs), *rows_of("a tiny net", small), *many],
        libraries=("torch", "xllamacpp", "fastapi", "uvicorn"),
        pairs={"llama": pairs, "tiny": small},
    )


if __name__ == "__main__":
    main()
