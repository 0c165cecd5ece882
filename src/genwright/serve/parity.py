"""Parity: the system as it was evaluated and the real server answer the same prompts, token by token."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import uvicorn

from genwright.core import ClaimDraft, Context, DataError, Derivation, Produced, StageResult, modality_component
from genwright.core.errors import GenwrightError
from genwright.measure import write_scores
from genwright.modalities.chat.messages import chats, question
from genwright.modalities.dataset import read_rows, read_split
from genwright.serve.app import Served, create_app
from genwright.serve.engine import Engine
from genwright.stages.parity.config import ParityConfig
from genwright.systems import load_system
from genwright.systems.requests import Chat, Completion

MODEL = "parity"
START_SECONDS = 60.0
SLOTS = 2


@dataclass(frozen=True)
class Asked:
    """One held-out prompt."""

    id: str
    group: str
    prompt: str | Chat


def run(config: ParityConfig, context: Context, /) -> StageResult:
    """A row per prompt and kind: whether the server gave the same answer, read the same prompt, ended alike.

    Raises:
        DataError: the test split is empty.
        GenwrightError: the server does not start or does not answer.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    asked = _asked(config, context)
    with context.progress.task("ask the evaluated system and the served one", total=2 * len(asked)) as task:
        system, tested = _system(context), []
        for one in asked:
            request = system.request(one.prompt, max_tokens=config.max_tokens, sampling={"temperature": 0.0})
            tested += system.generate([request])
            task.advance(1)
        rows = _mark_rows(system)
        with serving(_system(context)) as ask:
            for one, completion in zip(asked, tested, strict=True):
                rows += _rows(one, completion, ask(one.prompt, config.max_tokens))
                task.advance(1)
    write_scores(context.folder("parity_scores"), {name: [row[name] for row in rows] for name in rows[0]})
    return StageResult({"parity_scores": Produced("scores", context.scratch / "parity_scores")}, CLAIMS)


def _claim(metric: str, kind: str) -> ClaimDraft:
    derivation = Derivation("mean", {"value": "equal"}, where={"kind": kind})
    return ClaimDraft("system", metric, "1", "parity_scores", derivation, data="dataset", better="higher")


CLAIMS = (
    _claim("served_answers_equal", "answer"),
    _claim("served_prompts_equal", "prompt"),
    _claim("served_marks_equal", "mark"),
)


def _system(context: Context) -> Any:
    paths = {artifact.digest: artifact.path for artifact in context.inputs.values()}
    return load_system(context.inputs["system"].path, locate=paths.__getitem__, device=context.device)


def _asked(config: ParityConfig, context: Context) -> list[Asked]:
    dataset = context.inputs["dataset"].path
    if modality_component(context.modality).answers:
        rows = read_rows(dataset, split="test").slice(0, config.num_prompts)
        ids, groups = rows.column("id").to_pylist(), rows.column("group").to_pylist()
        prompts: list[str | Chat] = [question(chat) for chat in chats(rows)]
    else:
        documents = list(read_split(dataset, split="test", columns=("id", "group", "text")))[: config.num_prompts]
        ids, groups = [one["id"] for one in documents], [one["group"] for one in documents]
        prompts = [str(one["text"])[: config.prompt_characters] for one in documents]
    if not prompts:
        raise DataError("the test split is empty, so there is nothing to ask", hint="raise data.split.test")
    return [Asked(*one) for one in zip(ids, groups, prompts, strict=True)]


def _rows(one: Asked, tested: Completion, served: dict[str, Any]) -> list[dict[str, Any]]:
    equal = {
        "answer": served["text"] == tested.text
        and served["finish_reason"] == tested.finish_reason
        and served["completion_tokens"] == tested.num_tokens,
        "prompt": served["prompt_tokens"] == tested.num_prompt_tokens,
    }
    return [
        {"id": f"{one.id} {kind}", "group": one.group, "kind": kind, "equal": float(same)}
        for kind, same in equal.items()
    ]


def _mark_rows(system: Any) -> list[dict[str, Any]]:
    """Template, special tokens and stop tokens, byte by byte, where the engine has its own beside the codec's."""
    compared: dict[str, bool] = getattr(system, "marks_compared", dict)()
    found = compared or {"the engine has none of its own": True}
    return [
        {"id": f"mark {what}", "group": "marks", "kind": "mark", "equal": float(same)} for what, same in found.items()
    ]


@contextmanager
def serving(system: Any, /) -> Iterator[Callable[[str | Chat, int], dict[str, Any]]]:
    """A function that asks the real server and returns text, end and token counts."""
    with serving_at(system, num_slots=SLOTS) as (port, key):
        yield lambda prompt, max_tokens: _ask(port, key, prompt, max_tokens)


@contextmanager
def serving_at(system: Any, /, *, num_slots: int) -> Iterator[tuple[int, str]]:
    """The port and the key of a real server on loopback.

    Raises:
        GenwrightError: it does not start.
    """
    key = secrets.token_urlsafe(16)
    engine = Engine(system, num_slots=num_slots, max_queue=64)
    app = create_app(engine, served=Served(model=MODEL, digest="", keys=(key,)))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
        thread.start()
        try:
            _wait(server, thread)
            yield held.getsockname()[1], key
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    end = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise GenwrightError("the server does not start", hint="genwright serve --unreleased shows why")
        time.sleep(0.01)


def _ask(port: int, key: str, prompt: str | Chat, max_tokens: int) -> dict[str, Any]:
    body: dict[str, Any] = {"model": MODEL, "max_tokens": max_tokens, "temperature": 0}
    if isinstance(prompt, str):
        path, body["prompt"] = "/v1/completions", prompt
    else:
        path, body["messages"] = "/v1/chat/completions", [{"role": role, "content": text} for role, text in prompt]
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answered = json.loads(connection.getresponse().read())
    connection.close()
    if "error" in answered:
        raise GenwrightError(f"the server refuses a prompt of the evaluation: {answered['error']['message']}")
    (choice,) = answered["choices"]
    text = choice["text"] if isinstance(prompt, str) else choice["message"]["content"]
    return {"text": text, "finish_reason": choice["finish_reason"], **answered["usage"]}
