"""Aggregate tokens per second of 8 streams at once against 8 requests in turn, through the real server.

python bench/serve_throughput.py [PROJECT]    (default: a freshly initialised net of size small)
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

import report
from genwright.project import Project
from genwright.project.recipes import new_project

STREAMS, TOKENS, ROUNDS = 8, 128, 5


def make_project(folder: Path) -> Path:
    """A project with an evaluated system of size small, trained for a moment: speed does not depend on quality."""
    new_project("python-prose", folder)
    (folder / "policy.toml").write_text('name = "any"\n[[gates]]\nmetric = "bits_per_byte"\nmax = 99.0\n')
    overrides = ["train.size=small", "train.trainer.budget={steps = 2}", "evaluate.generation.num_samples=0"]
    Project.find(folder).run(overrides=overrides)
    return folder


def ask(address: str, seed: int) -> int:
    """Tokens of one streamed answer."""
    body = {"model": "python-prose", "prompt": "The ", "max_tokens": TOKENS, "seed": seed, "stream": True}
    body["stream_options"] = {"include_usage": True}
    tokens = 0
    with httpx.stream("POST", f"{address}/v1/completions", json=body, timeout=300) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                usage = json.loads(line[6:]).get("usage")
                tokens = usage["completion_tokens"] if usage else tokens
    return tokens


def rate(address: str, *, workers: int, first_seed: int) -> float:
    """Tokens per second of 8 answers by so many clients at once."""
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        tokens = sum(pool.map(lambda seed: ask(address, seed), range(first_seed, first_seed + STREAMS)))
    return tokens / (time.perf_counter() - start)


def main() -> None:
    """Start the server, measure in turn and together, alternating."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else make_project(Path(tempfile.mkdtemp()) / "p")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "genwright", "serve", "--port", str(port)]
    server = subprocess.Popen(command, cwd=folder)
    address = f"http://127.0.0.1:{port}"
    try:
        wait(address)
        ask(address, 0)
        single, together = [], []
        for number in range(ROUNDS):
            single.append(rate(address, workers=1, first_seed=100 * number))
            together.append(rate(address, workers=STREAMS, first_seed=100 * number))
    finally:
        server.terminate()
        server.wait()
    ratio = statistics.median(b / a for a, b in zip(single, together, strict=True))
    rows = [
        {"what": "8 requests in turn", "value": round(statistics.median(single)), "unit": "tokens/s"},
        {"what": "8 streams at once", "value": round(statistics.median(together)), "unit": "tokens/s"},
        {"what": "ratio, round by round", "value": round(ratio, 2), "unit": "x", "goal": "at least 3"},
    ]
    rounds = {"in_turn": single, "together": together}
    report.write(
        "serve_throughput", title="Serving: shared batches", command="python bench/serve_throughput.py",
        rows=rows, libraries=("torch", "fastapi", "uvicorn"), rounds=rounds,
    )  # fmt: skip


def wait(address: str) -> None:
    """Until the server answers."""
    for _ in range(600):
        try:
            if httpx.get(f"{address}/health").status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
