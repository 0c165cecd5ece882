"""Streams through a server, from a process of its own, whose CPU time is not the server's; says how many tokens came.

python bench/streams.py PORT KEY TOKENS < PROMPTS    (a JSON list; `engines.py` runs it)
"""

import http.client
import json
import sys
from concurrent.futures import ThreadPoolExecutor


def tokens_of(port: int, key: str, prompt: str, tokens: int) -> int:
    """How many tokens a stream says that it had."""
    body = {"model": "parity", "prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": True,
            "stream_options": {"include_usage": True}}  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/completions", json.dumps(body), headers)
    lines = connection.getresponse().read().splitlines()
    events = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
    return next(int(event["usage"]["completion_tokens"]) for event in events[::-1] if event.get("usage"))


def main() -> None:
    """All prompts at once."""
    port, key, tokens = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    prompts = json.load(sys.stdin)
    with ThreadPoolExecutor(len(prompts)) as pool:
        print(sum(pool.map(lambda prompt: tokens_of(port, key, prompt, tokens), prompts)))


if __name__ == "__main__":
    main()
