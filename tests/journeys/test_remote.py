"""A chat system whose model is behind another server: asked, measured, and told to be unpinned."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

UNPINNED = "unpinned: which weights answer is not known"
SPEC = """
[project]
name = "remote"
modality = "chat"
threads = 1

[remote]
url = "http://127.0.0.1:{port}/v1"
model = "echo"

[data]
[[data.sources]]
path = "chats.jsonl"
[data.split]
validation = 0.2
test = 0.2

[evaluate]
max_tokens = 8
[[evaluate.against]]
name = "shouting"
prompt = {{ kind = "zero-shot", template = "{{{{ input | upper }}}}" }}
"""


class Echo(BaseHTTPRequestHandler):
    """Answers a chat with what was said last."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = body["messages"][-1]["content"]
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
        data = json.dumps({"choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def port():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def test_claims_about_a_remote_model_say_so(tmp_path, genwright, port):
    lines = [{"prompt": f"reply {n}", "completion": f"reply {n}"} for n in range(40)]
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "genwright.toml").write_text(SPEC.format(port=port))
    done = genwright(tmp_path, "run", "--json")
    assert done.returncode == 0, done.stderr
    claims = {(c["metric"], c["label"]): c["estimate"]["value"] for c in json.loads(done.stdout)[0]["claims"]}
    assert claims["chrf", UNPINNED] == pytest.approx(1.0)
    assert claims["chrf", f"reference: shouting; {UNPINNED}"] < 0.5
    assert not any(metric == "bits_per_byte" for metric, _ in claims)
    assert genwright(tmp_path, "verify").returncode == 0
