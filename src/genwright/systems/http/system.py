"""A system whose model is behind another server. Which weights answer there, nobody can say: it is not pinned."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from genwright.core import Config
from genwright.families import SamplingConfig
from genwright.systems.http.client import Client, RemoteError
from genwright.systems.http.settings import RemoteSettings, read_remote
from genwright.systems.manifest import Manifest
from genwright.systems.requests import Chat, Completion, GenerationRequest, request_of

SENT = ("temperature", "top_p")
OURS = ("top_k", "min_p", "repetition_penalty")


class HttpSystem:
    """Continues texts and answers chats by an OpenAI-compatible server; `client.spent` counts tokens and price."""

    capabilities = frozenset({"generate", "stream"})

    def __init__(self, settings: RemoteSettings, *, manifest: Manifest) -> None:
        self.settings, self.manifest, self.client = settings, manifest, Client(settings)
        self.sampling: SamplingConfig = manifest.sampling

    @classmethod
    def load(cls, manifest: Manifest, /, *, locate: Callable[[str], Path], device: str = "cpu") -> HttpSystem:
        """The system of that manifest; nothing runs here, whatever `device` is."""
        del device
        return cls(read_remote(locate(manifest.model)), manifest=manifest)

    def request(
        self, prompt: str | Chat, /, *, sampling: Mapping[str, Any] | Config | None = None, **more: Any
    ) -> GenerationRequest:
        """A request with the system's own sampling where nothing else is said.

        Raises:
            SpecError: a sampling value is unknown or out of range.
        """
        return request_of(prompt, self.sampling, sampling, **more)

    def generate(self, requests: Sequence[GenerationRequest], /) -> list[Completion]:
        """One completion per request, in order, some at once.

        Raises:
            RemoteError: the server does not answer, or answers what is no completion.
            CapabilityError: it refuses.
        """
        with ThreadPoolExecutor(self.settings.at_once) as pool:
            return list(pool.map(self._complete, requests))

    def _complete(self, request: GenerationRequest) -> Completion:
        path, body = self._asked(request)
        answered = self.client.ask(path, body)
        try:
            (choice,) = answered["choices"]
            text = choice["text"] if isinstance(request.prompt, str) else choice["message"]["content"] or ""
            finish: Literal["stop", "length"] = "length" if choice["finish_reason"] == "length" else "stop"
            counted = answered.get("usage") or {}
            made = int(counted.get("completion_tokens") or 0)
        except (KeyError, TypeError, ValueError) as error:
            raise RemoteError(f"what {self.settings.url} answers is no completion ({error!r})") from None
        self.client.spent.add(counted)
        unknown = (math.nan,) * made
        return Completion(str(text), (-1,) * made, unknown, finish, int(counted.get("prompt_tokens") or 0))

    def stream(self, request: GenerationRequest, /) -> Iterator[str]:
        """The pieces of one continuation as they come.

        Raises:
            RemoteError: the server does not answer, or breaks off.
        """
        path, body = self._asked(request)
        usage: Mapping[str, Any] | None = None
        for event in self.client.follow(path, {**body, "stream": True, "stream_options": {"include_usage": True}}):
            usage = event.get("usage") or usage
            for choice in event.get("choices") or ():
                piece = choice.get("text") or (choice.get("delta") or {}).get("content")
                if piece:
                    yield str(piece)
        self.client.spent.add(usage)

    def _asked(self, request: GenerationRequest) -> tuple[str, dict[str, Any]]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self.settings.model, "max_tokens": request.max_tokens, "seed": request.seed % (1 << 31),
            **{name: getattr(sampling, name) for name in SENT},
        }  # fmt: skip
        plain = SamplingConfig()
        # No part of OpenAI's API: sent only where asked for, to servers that know them.
        body |= {name: value for name in OURS if (value := getattr(sampling, name)) != getattr(plain, name)}
        if request.stop:
            body["stop"] = list(request.stop)
        if isinstance(request.prompt, str):
            return "/completions", {**body, "prompt": request.prompt}
        if request.json_schema:
            named = {"name": "answer", "schema": json.loads(request.json_schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        messages = [{"role": role, "content": text} for role, text in request.prompt]
        return "/chat/completions", {**body, "messages": messages}
