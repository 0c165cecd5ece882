"""Keys, limits, queue, health, metrics, broken clients, and the OpenAPI under schemathesis."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from genwright.core import SpecError
from genwright.serve.server import read_keys

BODY = {"model": "tiny", "prompt": "a", "max_tokens": 8}


def test_keys_are_asked_for_and_checked(start_server):
    address, _, stop = start_server(keys=("secret-1", "secret-2"))
    try:
        wrong = httpx.post(f"{address}/v1/completions", json=BODY, headers={"Authorization": "Bearer nope"})
        assert wrong.status_code == 401
        assert wrong.json()["error"]["code"] == "invalid_api_key"
        right = httpx.post(f"{address}/v1/completions", json=BODY, headers={"Authorization": "Bearer secret-2"})
        assert right.status_code == 200
        assert httpx.get(f"{address}/health").status_code == 200
    finally:
        stop()


def test_bodies_are_bounded_declared_or_not(server):
    big = b" " * (1 << 17)
    assert httpx.post(f"{server.address}/v1/completions", content=big).status_code == 413
    chunks = (b" " * 4096 for _ in range(64))
    assert httpx.post(f"{server.address}/v1/completions", content=chunks).status_code == 413


def test_a_full_queue_answers_429_with_retry_after(start_server):
    address, _, stop = start_server(num_slots=1, max_queue=1)
    try:
        ask = {**BODY, "max_tokens": 60}
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: httpx.post(f"{address}/v1/completions", json=ask, timeout=60), range(12)))
        assert {a.status_code for a in answers} == {200, 429}
        refused = next(a for a in answers if a.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["type"] == "rate_limit_error"
    finally:
        stop()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"model": NaN}', b'{"a":' * 2000])
def test_malformed_bodies_are_400_in_openais_shape(server, content):
    answer = httpx.post(
        f"{server.address}/v1/completions", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_unknown_paths_and_methods_keep_the_shape(server):
    assert httpx.get(f"{server.address}/v1/nothing").json()["error"]["type"] == "invalid_request_error"
    wrong = httpx.get(f"{server.address}/v1/completions")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "POST"


def test_a_client_that_leaves_frees_its_slot(server):
    ask = {**BODY, "max_tokens": 2000, "stream": True}
    with httpx.stream("POST", f"{server.address}/v1/completions", json={**ask, "max_tokens": 62}, timeout=30) as answer:
        next(answer.iter_lines())
    deadline = time.monotonic() + 10
    while server.engine.load != (0, 0) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.engine.load == (0, 0)


def test_metrics_count_tokens_and_requests(server):
    def read(name):
        lines = httpx.get(f"{server.address}/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    before = read("genwright_completion_tokens_total")
    made = httpx.post(f"{server.address}/v1/completions", json=BODY).json()
    assert read("genwright_completion_tokens_total") - before == made["usage"]["completion_tokens"]
    assert read("genwright_requests_total") > 0


def test_streams_share_steps(server):
    before, tokens = server.engine.steps, server.engine.generated_tokens
    ask = {**BODY, "max_tokens": 40, "n": 4, "seed": 2}
    httpx.post(f"{server.address}/v1/completions", json=ask, timeout=60)
    made, steps = server.engine.generated_tokens - tokens, server.engine.steps - before
    assert made / steps > 2


def test_key_files_are_checked(tmp_path):
    (tmp_path / "keys").write_text("# mine\nabc\n\n")
    assert read_keys(tmp_path / "keys") == ("abc",)
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SpecError, match="holds no key"):
        read_keys(tmp_path / "empty")
    with pytest.raises(SpecError, match="No such file"):
        read_keys(tmp_path / "missing")


@pytest.mark.slow
def test_schemathesis_finds_no_undocumented_answer(server, tmp_path):
    schema = httpx.get(f"{server.address}/openapi.json").json()
    for name in ("CompletionRequest", "ChatRequest"):  # any other model is one 404 again and again
        schema["components"]["schemas"][name]["properties"]["model"] = {"const": "tiny"}
    (tmp_path / "openapi.json").write_text(json.dumps(schema))
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", str(tmp_path / "openapi.json"), "--url", server.address,
        "--checks", checks, "--max-examples", "40", "--seed", "1", "--request-timeout", "20",
        "--phases", "examples,fuzzing", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
