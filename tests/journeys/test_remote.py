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
input_price = 1.0
output_price = 3.0

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
    """Answers a chat with what was said last; loudly where it is told to, which the teacher knows to ask for."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = body["messages"][-1]["content"]
        if body["model"] == "teacher":
            said = "```\nAnswer loudly.\n```" if "REPLY" in said else "```\nAnswer.\n```"
        elif "loudly" in said:
            said = said.splitlines()[-1].upper()
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
    for label, side in ((UNPINNED, "system"), (f"reference: shouting; {UNPINNED}", "the other")):
        asked = claims["remote_requests", label]
        assert asked > 1, side
        assert claims["remote_input_tokens", label] == claims["remote_output_tokens", label] == 2 * asked
        assert claims["remote_price", label] == pytest.approx(asked * (2 * 1.0 + 2 * 3.0) / 1e6)
    assert genwright(tmp_path, "verify").returncode == 0


REWRITE = """
[prompt]
instruction = "Answer."
patterns = ["zero-shot"]
questions = 6
max_tokens = 8
[prompt.gepa]
budget_questions = 30
reflection = {{ url = "http://127.0.0.1:{port}/v1", model = "teacher", output_price = 1000.0 }}

[evaluate]
"""


def test_a_model_behind_a_server_rewrites_the_instruction(tmp_path, genwright, port):
    """The teacher reads what should have been answered, its rewrite is kept, and what it cost is told."""
    pytest.importorskip("gepa")
    lines = [{"prompt": f"reply {n}", "completion": f"REPLY {n}"} for n in range(40)]
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "genwright.toml").write_text(SPEC.replace("[evaluate]\n", REWRITE).format(port=port))
    done = genwright(tmp_path, "run", "prompt", "--json")
    assert done.returncode == 0, done.stderr
    claims = {(c["metric"], c["label"]): c["estimate"]["value"] for c in json.loads(done.stdout)[0]["claims"]}
    found = {label: value for (metric, label), value in claims.items() if metric == "development_chrf"}
    (chosen,) = (label for label in found if label.startswith("chosen, best of 2"))
    assert "zero-shot, rewritten 1" in chosen
    assert found[chosen] == pytest.approx(1.0)
    assert min(found.values()) < 0.5
    for role in ("asked", "reflection"):
        assert claims["remote_requests", f"{role}; {UNPINNED}"] >= 1
    assert claims["remote_price", f"reflection; {UNPINNED}"] > 0
    prompts = list((tmp_path / ".genwright" / "objects").glob("*/*/prompt.json"))
    assert any("Answer loudly." in path.read_text() for path in prompts)
    assert genwright(tmp_path, "verify").returncode == 0
