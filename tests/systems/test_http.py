"""A model behind another server: one that is busy, broken, slow or talks nonsense."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from genwright.core import CapabilityError, SpecError
from genwright.systems import Manifest, backend_of
from genwright.systems.http import RemoteSettings, read_remote, write_remote
from genwright.systems.http.client import RemoteError
from genwright.systems.http.system import HttpSystem

CHAT = (("user", "hello"),)
MANIFEST = Manifest(backend="http", model="a" * 64, codec="c" * 64)
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


def answered(text):
    body = {"choices": [{"message": {"content": text}, "text": text, "finish_reason": "stop"}], "usage": USAGE}
    return 200, json.dumps(body).encode(), {}


class Fake(ThreadingHTTPServer):
    """Answers each request with the next of `script`; the last one again and again."""

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.seen = list(script), []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, body, dict(self.headers)))
        step = self.server.script.pop(0) if len(self.server.script) > 1 else self.server.script[0]
        status, content, headers = step() if callable(step) else step
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture(name="fake")
def fixture_fake():
    made = []

    def start(*script, **settings):
        server = Fake(script)
        made.append(server)
        return server, HttpSystem(RemoteSettings(url=server.url, model="m", **settings), manifest=MANIFEST)

    yield start
    for server in made:
        server.shutdown()
        server.server_close()


def ask(system, prompt=CHAT, **more):
    return system.generate([system.request(prompt, max_tokens=5, **more)])[0]


def test_answers_are_counted_and_paid(fake):
    server, system = fake(answered("yes"), input_price=2.0, output_price=10.0)
    made = ask(system, sampling={"temperature": 0.0, "top_k": 3})
    assert (made.text, made.finish_reason, made.num_tokens, made.num_prompt_tokens) == ("yes", "stop", 2, 7)
    path, body, _ = server.seen[0]
    assert path == "/v1/chat/completions"
    assert body["messages"] == [{"role": "user", "content": "hello"}]
    assert (body["temperature"], body["top_k"]) == (0.0, 3)
    assert ask(system, "a text").text == "yes"
    assert server.seen[1][0] == "/v1/completions"
    assert system.client.spent.price(system.settings) == pytest.approx(2 * (7 * 2.0 + 2 * 10.0) / 1e6)


def test_a_busy_server_is_asked_again_when_it_says(fake):
    busy = (429, b"{}", {"Retry-After": "0.2"})
    server, system = fake(busy, (503, b"", {"Retry-After": "0"}), answered("now"))
    begin = time.monotonic()
    assert ask(system).text == "now"
    assert time.monotonic() - begin >= 0.2
    assert (len(server.seen), system.client.spent.retries) == (3, 2)


@pytest.mark.parametrize(
    "answer", [(500, b"oops", {"Retry-After": "0"}), (200, b"<html>", {}), (200, b"[1]", {})], ids=str
)
def test_a_broken_server_is_told_in_the_end(fake, answer, monkeypatch):
    monkeypatch.setattr("genwright.systems.http.client.FIRST_WAIT_SECONDS", 0.01)
    server, system = fake(answer, max_retries=2)
    with pytest.raises(RemoteError, match="after 3 tries"):
        ask(system)
    assert len(server.seen) == 3


def test_a_slow_server_is_told(fake, monkeypatch):
    monkeypatch.setattr("genwright.systems.http.client.FIRST_WAIT_SECONDS", 0.01)

    def slow():
        time.sleep(0.5)
        return answered("late")

    _, system = fake(slow, timeout_seconds=0.1, max_retries=1)
    with pytest.raises(RemoteError, match=r"after 2 tries.*imeout"):
        ask(system)


def test_a_refusal_is_not_repeated(fake):
    server, system = fake((401, json.dumps({"error": {"message": "no such key"}}).encode(), {}))
    with pytest.raises(CapabilityError, match="no such key"):
        ask(system)
    assert len(server.seen) == 1


def test_an_answer_without_choices_is_told(fake):
    _, system = fake((200, b'{"choices": []}', {}))
    with pytest.raises(RemoteError, match="no completion"):
        ask(system)


def test_the_key_comes_from_the_environment(fake, monkeypatch):
    server, system = fake(answered("x"), key_variable="SOME_KEY")
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(SpecError, match="SOME_KEY"):
        ask(system)
    monkeypatch.setenv("SOME_KEY", "s3cret")
    ask(system)
    assert server.seen[0][2]["Authorization"] == "Bearer s3cret"


def test_streams_break_off_loudly(fake):
    pieces = [{"choices": [{"delta": {"content": word}}]} for word in ("a", "b")]
    whole = "".join(f"data: {json.dumps(one)}\n\n" for one in [*pieces, {"choices": [], "usage": USAGE}])
    _, system = fake((200, f"{whole}data: [DONE]\n\n".encode(), {}))
    assert list(system.stream(system.request(CHAT, max_tokens=5))) == ["a", "b"]
    assert system.client.spent.output_tokens == 2
    _, system = fake((200, whole.encode()[:-20] + b"data: {nonsense\n\n", {}))
    with pytest.raises(RemoteError, match="broke off"):
        list(system.stream(system.request(CHAT, max_tokens=5)))


def test_a_rate_is_kept(fake):
    _, system = fake(answered("x"), requests_per_minute=600)
    begin = time.monotonic()
    system.generate([system.request(CHAT, max_tokens=5) for _ in range(4)])
    assert time.monotonic() - begin >= 0.29


def test_settings_are_kept_without_the_key(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "s3cret")
    settings = RemoteSettings(url="http://127.0.0.1:1/v1", model="m", key_variable="SOME_KEY")
    write_remote(settings, folder=tmp_path)
    assert read_remote(tmp_path) == settings
    assert backend_of(tmp_path) == "http"
    assert "s3cret" not in (tmp_path / "remote.json").read_text()
