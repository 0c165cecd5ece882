"""A system over tokens: a codec of texts and chats around something that decodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from genwright.core import Config
from genwright.core.protocols import Codec
from genwright.families import SamplingConfig
from genwright.families.decoding import DecodedToken, DecodeRequest, LostStream, TokenDecoder, stream
from genwright.families.text_stream import TextStream
from genwright.systems.grammar import compiled
from genwright.systems.manifest import Manifest
from genwright.systems.requests import Chat, Completion, GenerationRequest, request_of

SLOTS = 16


class TokenSystem(ABC):
    """Continues texts and answers chats."""

    capabilities = frozenset({"generate", "stream", "logprobs"})

    def __init__(self, *, codec: Codec, manifest: Manifest, context_tokens: int) -> None:
        self.codec, self.manifest = codec, manifest
        self.sampling: SamplingConfig = manifest.sampling
        self.context_tokens = context_tokens
        self.stop_ids = frozenset({codec.eos_id, *getattr(codec, "stop_ids", ())})

    @abstractmethod
    def decoder(self, num_slots: int, /) -> TokenDecoder:
        """A decoder over the model, for callers that batch on their own."""

    def request(
        self,
        prompt: str | Chat,
        /,
        *,
        max_tokens: int,
        seed: int = 0,
        stop: Sequence[str] = (),
        sampling: Mapping[str, Any] | Config | None = None,
        num_top_logprobs: int = 0,
    ) -> GenerationRequest:
        """A request with the system's own sampling where nothing else is said.

        Raises:
            SpecError: a sampling value is unknown or out of range.
        """
        return request_of(
            prompt,
            self.sampling,
            sampling,
            max_tokens=max_tokens,
            seed=seed,
            stop=stop,
            num_top_logprobs=num_top_logprobs,
        )

    def check_schema(self, json_schema: str, /) -> None:
        """Passes where answers can be made to fit that schema.

        Raises:
            CapabilityError: they cannot.
        """
        compiled(json_schema)

    def encode_request(self, prompt: str | Chat, /) -> tuple[int, ...]:
        """The tokens of a text to continue, or of a chat to answer."""
        return self.encode_prompt(prompt) if isinstance(prompt, str) else self.encode_chat(prompt)

    def encode_prompt(self, prompt: str, /) -> tuple[int, ...]:
        """The begin mark and the tokens of the prompt."""
        return (self.codec.bos_id, *(int(token) for token in self.codec.encode([prompt])[0]))

    def decode(self, ids: Sequence[int], /) -> str:
        """The text of those tokens; marks are left out."""
        return self.codec.decode([ids])[0]

    def encode_chat(self, messages: Sequence[tuple[str, str]], /) -> tuple[int, ...]:
        """The tokens of a chat of (role, text), by the template of a model that has one.

        Any other model knows no roles: it continues what was said.

        Raises:
            DataError: the template does not take these messages.
        """
        encode: Callable[[Any], tuple[int, ...]] | None = getattr(self.codec, "encode_chat", None)
        if encode is None or getattr(self.codec, "template", None) is None:
            return self.encode_prompt("\n\n".join(text for _, text in messages))
        # Templates know the older name of what a developer says.
        return encode([{"role": "system" if role == "developer" else role, "content": text} for role, text in messages])

    def generate(self, requests: Sequence[GenerationRequest], /) -> list[Completion]:
        """One completion per request, in order; they share batches."""
        decoder = self.decoder(max(1, min(SLOTS, len(requests))))
        waiting = list(enumerate(requests))[::-1]
        active: dict[int, _Progress] = {}
        done: dict[int, Completion] = {}
        while waiting or active:
            while waiting and decoder.num_free:
                index, request = waiting.pop()
                progress = _Progress(self, request, index, whole=True)
                active[decoder.add(progress.decode_request)] = progress
            for token in decoder.step():
                if isinstance(token, LostStream):
                    raise token.error
                if token.slot not in active:
                    continue  # it has met a stop string already
                progress = active[token.slot]
                progress.feed(token)
                if progress.finish_reason:
                    decoder.free(token.slot)
                    del active[token.slot]
                    done[progress.index] = progress.completion()
        return [done[index] for index in range(len(requests))]

    def stream(self, request: GenerationRequest, /) -> Iterator[str]:
        """The pieces of one continuation as they become certain; leaving early stops the work."""
        progress = _Progress(self, request, 0, whole=False)
        for token in stream(self.decoder(1), request=progress.decode_request):
            piece = progress.feed(token)
            if piece:
                yield piece
            if progress.finish_reason:
                return


class _Progress:
    """One request on its way: tokens so far, and the text that is certain."""

    def __init__(self, system: TokenSystem, request: GenerationRequest, index: int, *, whole: bool) -> None:
        self.index = index
        self.decode_request = DecodeRequest(
            prompt_ids=system.encode_request(request.prompt),
            max_new_tokens=request.max_tokens,
            sampling=request.sampling,
            seed=request.seed,
            stop_ids=system.stop_ids,
            num_top_logprobs=request.num_top_logprobs,
            whole=whole and not request.stop,
            json_schema=request.json_schema,
        )
        self._text_stream = TextStream(system.decode, stop=request.stop)
        self._pieces: list[str] = []
        self._tokens: list[DecodedToken] = []
        self.finish_reason: str | None = None

    def feed(self, token: DecodedToken) -> str:
        """The text that becomes certain with one more token."""
        self._tokens.append(token)
        piece = "" if token.token_id in self.decode_request.stop_ids else self._text_stream.feed(token.token_id)
        if token.finished and not self._text_stream.stopped:
            piece += self._text_stream.finish()
        self.finish_reason = "stop" if self._text_stream.stopped else token.finished
        self._pieces.append(piece)
        return piece

    def completion(self) -> Completion:
        """What was made."""
        return Completion(
            text="".join(self._pieces),
            token_ids=tuple(token.token_id for token in self._tokens),
            logprobs=tuple(token.logprob for token in self._tokens),
            finish_reason="stop" if self.finish_reason == "stop" else "length",
            num_prompt_tokens=len(self.decode_request.prompt_ids),
        )
