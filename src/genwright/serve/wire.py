"""The bodies that leave: completions and chat, whole and in chunks."""

import json
import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from genwright.serve.engine import Piece
from genwright.serve.tools import read_answer

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
Form = Literal["text_completion", "chat.completion"]


@dataclass(frozen=True)
class Envelope:
    """What all chunks of one answer share."""

    form: Form
    model: str
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def id(self) -> str:
        """The answer's name."""
        return ("chatcmpl-" if self.form == "chat.completion" else "cmpl-") + self.key

    def event(self, choices: Sequence[dict[str, Any]], /, **more: Any) -> str:
        """The server-sent event of a chunk with these choices: what all chunks share is encoded once."""
        tail = "".join(f",{encode(name)}:{encode(value)}" for name, value in more.items())
        return f"data: {self._head}{encode(choices)}{tail}}}\n\n"

    @cached_property
    def _head(self) -> str:
        return encode({**self.body([], chunk=True), "choices": 0})[:-2]

    def body(self, choices: Sequence[dict[str, Any]], /, *, chunk: bool = False, **more: Any) -> dict[str, Any]:
        """An object with these choices."""
        kind = "chat.completion.chunk" if chunk and self.form == "chat.completion" else self.form
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": list(choices),
        } | more


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """Token counts."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def completion_choice(
    index: int, text: str, pieces: Sequence[Piece], /, *, finish: str | None, with_logprobs: bool, offset: int = 0
) -> dict[str, Any]:
    """One choice of /v1/completions; `offset` is where the first piece's text starts."""
    logprobs = completion_logprobs(pieces, offset=offset) if with_logprobs else None
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}


def completion_logprobs(pieces: Sequence[Piece], /, *, offset: int) -> dict[str, Any]:
    """Tokens with their log-probabilities, as /v1/completions lists them."""
    offsets = []
    for piece in pieces:
        offsets.append(offset)
        offset += len(piece.token_text)
    return {
        "tokens": [piece.token_text for piece in pieces],
        "token_logprobs": [_told(piece.logprob) for piece in pieces],
        "top_logprobs": [dict(piece.top_logprobs) for piece in pieces],
        "text_offset": offsets,
    }


def chat_choice(
    index: int, text: str, pieces: Sequence[Piece], /, *, finish: str | None, with_logprobs: bool
) -> dict[str, Any]:
    """One choice of /v1/chat/completions."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    logprobs = chat_logprobs(pieces) if with_logprobs else None
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish}


def with_calls(choice: dict[str, Any], /) -> dict[str, Any]:
    """A chat choice whose text was forced into the form of a call: the call, or the words."""
    words, calls = read_answer(choice["message"]["content"])
    choice["message"] |= {"content": words, **({"tool_calls": calls} if calls else {})}
    choice["finish_reason"] = "tool_calls" if calls else choice["finish_reason"]
    return choice


def chat_delta(
    index: int, delta: dict[str, Any], pieces: Sequence[Piece], /, *, finish: str | None, with_logprobs: bool
) -> dict[str, Any]:
    """One choice of a chat chunk."""
    logprobs = chat_logprobs(pieces) if with_logprobs and pieces else None
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}


def chat_logprobs(pieces: Sequence[Piece], /) -> dict[str, Any]:
    """Tokens with their log-probabilities, as chat lists them."""
    content = [
        {
            **_token(piece.token_text, piece.logprob),
            "top_logprobs": [_token(text, logprob) for text, logprob in piece.top_logprobs],
        }
        for piece in pieces
    ]
    return {"content": content, "refusal": None}


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": _told(logprob), "bytes": list(text.encode())}


def _told(logprob: float) -> float:
    """The value, or what OpenAI's API says where there is none to tell."""
    return -9999.0 if math.isnan(logprob) else logprob
