"""What is asked of a system, and what comes back. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genwright.core import Config
from genwright.families import SamplingConfig

Chat = tuple[tuple[str, str], ...]
"""What was said, in order: (role, text) each; roles are system, user and assistant."""


@dataclass(frozen=True)
class GenerationRequest:
    """What to answer: at most `max_tokens` tokens, until the model ends it or a `stop` string appears.

    `prompt` is a text to continue, or a chat to answer. `json_schema` is what the answer has to fit.
    """

    prompt: str | Chat
    max_tokens: int
    sampling: SamplingConfig
    seed: int = 0
    stop: tuple[str, ...] = ()
    num_top_logprobs: int = 0
    json_schema: str | None = None


def request_of(
    prompt: str | Chat,
    own: SamplingConfig,
    sampling: Mapping[str, Any] | Config | None,
    /,
    *,
    max_tokens: int,
    seed: int = 0,
    stop: Sequence[str] = (),
    num_top_logprobs: int = 0,
) -> GenerationRequest:
    """A request with a system's own sampling where nothing else is said.

    Raises:
        SpecError: a sampling value is unknown or out of range.
    """
    asked = sampling.model_dump() if isinstance(sampling, Config) else dict(sampling or {})
    settings = SamplingConfig.parse({**own.model_dump(), **asked}, where="sampling")
    return GenerationRequest(prompt, max_tokens, settings, seed, tuple(stop), num_top_logprobs)


@dataclass(frozen=True)
class Completion:
    """A continuation: its text without the stop string, and each of its tokens with its log-probability (nats)."""

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: Literal["stop", "length"]
    num_prompt_tokens: int

    @property
    def num_tokens(self) -> int:
        """Tokens made, the end mark included."""
        return len(self.token_ids)


@dataclass(frozen=True)
class DocumentScore:
    """How likely a system finds a document: nats over all its tokens and the end mark, exact; its size in UTF-8."""

    nats: float
    num_tokens: int
    num_bytes: int
