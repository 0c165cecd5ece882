"""A system behind a prompt: what is asked goes through the pattern, whatever answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genwright.core import Config
from genwright.families import SamplingConfig
from genwright.systems.prompts import Prompt
from genwright.systems.prompts.asking import answers, pieces
from genwright.systems.requests import Chat, Completion, DocumentScore, GenerationRequest, request_of


class PromptedSystem:
    """Chats are asked as the pattern says; texts to continue, and all else, are the system's own."""

    def __init__(self, system: Any, /, *, prompt: Prompt) -> None:
        self.system, self.pattern = system, prompt.built()
        self.sampling: SamplingConfig = prompt.sampling or system.sampling

    def __getattr__(self, name: str) -> Any:
        return getattr(self.system, name)

    def request(
        self, prompt: str | Chat, /, *, sampling: Mapping[str, Any] | Config | None = None, **more: Any
    ) -> GenerationRequest:
        """A request with the prompt's sampling where nothing else is said.

        Raises:
            SpecError: a sampling value is unknown or out of range.
        """
        return request_of(prompt, self.sampling, sampling, **more)

    def generate(self, requests: Sequence[GenerationRequest], /) -> list[Completion]:
        """One completion per request, in order; an answer that took several calls counts the tokens of all."""
        chats = [place for place, one in enumerate(requests) if not isinstance(one.prompt, str)]
        texts = [place for place in range(len(requests)) if place not in set(chats)]
        made = answers([requests[at] for at in chats], pattern=self.pattern, generate=self.system.generate)
        done = dict(zip(chats, made, strict=True))
        done |= zip(texts, self.system.generate([requests[at] for at in texts]), strict=True)
        return [done[place] for place in range(len(requests))]

    def stream(self, request: GenerationRequest, /) -> Iterator[str]:
        """The pieces of one answer as they become certain."""
        if isinstance(request.prompt, str):
            return self.system.stream(request)  # type: ignore[no-any-return]
        return pieces(request, pattern=self.pattern, generate=self.system.generate, stream=self.system.stream)

    def answer_log_prob(self, questions: Sequence[Chat], answers: Sequence[str], /) -> list[DocumentScore]:
        """How likely each answer is behind its question in the prompt; empty where a pattern asks more than once."""
        if not hasattr(self.system, "answer_log_prob"):
            return []
        calls = [next(self.pattern.turns(question)) for question in questions]
        if not all(call.last for call in calls):
            return []
        found: list[DocumentScore] = self.system.answer_log_prob([call.chat for call in calls], answers)
        return found
