"""A GGUF model behind the gateway: many streams, none lost, and an engine that is killed in the middle of one."""

import json
import os
import signal
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from genwright.families.gguf_store import save_gguf_family
from genwright.modalities.text.bytes import BytesCodec
from genwright.systems import Manifest
from genwright.systems.llama.system import GgufSystem

pytest.importorskip("xllamacpp")
MODEL, CODEC = "a" * 64, "c" * 64


@pytest.fixture(name="gguf", scope="module")
def fixture_gguf(start_server, tiny_system):
    folder = Path(tempfile.mkdtemp())
    for name in ("model", "codec"):
        (folder / name).mkdir()
    BytesCodec().save(folder / "codec")
    family = tiny_system().family
    save_gguf_family(folder / "model", family=family, codec_folder=folder / "codec", file_type="f32", facts={})
    manifest = Manifest(backend="gguf", model=MODEL, codec=CODEC)
    system = GgufSystem.load(manifest, locate={MODEL: folder / "model", CODEC: folder / "codec"}.__getitem__)
    address, engine, stop = start_server(system=system, num_slots=4, max_queue=32)
    yield address, engine, system
    stop()


def ask(address, **more):
    body = {"model": "tiny", "prompt": "hello", "max_tokens": 20, "temperature": 0, **more}
    return httpx.post(f"{address}/v1/completions", json=body, timeout=60)


def test_it_answers_as_torch_does(gguf, server):
    here, there = ask(gguf[0]).json(), ask(server.address).json()
    assert here["choices"][0]["text"] == there["choices"][0]["text"]
    assert here["usage"] == there["usage"]


def test_of_many_streams_none_is_lost(gguf):
    address, engine, _ = gguf

    def stream(seed):
        answer = ask(address, stream=True, seed=seed, temperature=1, stream_options={"include_usage": True})
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        return events[-1]["usage"]["completion_tokens"], answer.text.rstrip().endswith("[DONE]")

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(stream, range(24)))
    assert all(done for _, done in found)
    assert all(1 <= tokens <= 20 for tokens, _ in found)
    assert engine.load == (0, 0)


def test_an_engine_that_dies_in_a_stream_is_told_and_the_next_request_works(gguf):
    address, _, system = gguf
    process = system.decoder(1).process
    pid = process.pid
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    lines = [line for line in ask(address, stream=True).text.splitlines() if line.startswith("data: ")]
    assert json.loads(lines[-1][6:])["error"]["type"] == "server_error"
    again = ask(address)
    assert again.status_code == 200
    assert again.json()["usage"]["completion_tokens"] == 20
    assert process.pid != pid


def test_an_engine_that_dies_is_503_to_who_waits_for_a_whole_answer(gguf):
    address, _, system = gguf
    pid = system.decoder(1).process.pid
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    answer = ask(address)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "engine_stopped"
    time.sleep(0.05)
    assert ask(address).status_code == 200


def test_a_schema_is_enforced_by_the_engine(gguf):
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": False}
    body = {
        "model": "tiny", "messages": [{"role": "user", "content": "a"}], "max_tokens": 40,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }  # fmt: skip
    made = httpx.post(f"{gguf[0]}/v1/chat/completions", json=body, timeout=60).json()
    assert json.loads(made["choices"][0]["message"]["content"])["n"] in (1, 2)
