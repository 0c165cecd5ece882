"""A system on this machine: a model of ours with its codec."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from genwright.core import CapabilityError, Config
from genwright.core.protocols import Codec
from genwright.families import SamplingConfig
from genwright.families.autoregressive import Autoregressive
from genwright.families.decoding import DecodedToken, Decoder, DecodeRequest, stream
from genwright.families.store import load_family
from genwright.families.text_stream import TextStream
from genwright.modalities.codec import load_codec
from genwright.nets.export import export_hf
from genwright.systems.manifest import Manifest
from genwright.systems.requests import Chat, Completion, DocumentScore, GenerationRequest
from genwright.systems.windows import score, windows

SLOTS = 16


class LocalSystem:
    """Scores and continues texts, and answers chats."""

    capabilities = frozenset({"generate", "stream", "logprobs"})

    def __init__(
        self, family: Autoregressive, *, codec: Codec, manifest: Manifest, codec_folder: Path, device: str = "cpu"
    ) -> None:
        self.family, self.codec, self.manifest = family, codec, manifest
        self.sampling: SamplingConfig = manifest.sampling
        self.context_tokens = family.shape.context_tokens
        self.stop_ids = frozenset({codec.eos_id, *getattr(codec, "stop_ids", ())})
        self._codec_folder, self._device = codec_folder, device

    @classmethod
    def load(cls, manifest: Manifest, /, *, locate: Callable[[str], Path], device: str = "cpu") -> LocalSystem:
        """The system of that manifest; `locate` gives an artifact's folder by its digest."""
        codec_folder = locate(manifest.codec)
        family = load_family(locate(manifest.model), device=device)
        codec = load_codec(codec_folder)
        if codec.vocab_size != family.shape.vocab_size:
            raise CapabilityError(
                f"the model knows {family.shape.vocab_size} tokens and the codec {codec.vocab_size}",
                hint="evaluate the model with the codec it was trained with",
            )
        return cls(family, codec=codec, manifest=manifest, codec_folder=codec_folder, device=device)

    # --- likelihood ----------------------------------------------------------------------------------------------

    def log_prob(self, texts: Sequence[str], /) -> list[DocumentScore]:
        """How likely each text is, from its begin mark to its end mark."""
        encoded = [self.codec.encode([text])[0] for text in texts]
        ids = [(self.codec.bos_id, *(int(token) for token in one), self.codec.eos_id) for one in encoded]
        return self._scored(ids, first=[1] * len(ids), texts=texts)

    def answer_log_prob(self, questions: Sequence[str | Chat], answers: Sequence[str], /) -> list[DocumentScore]:
        """How likely each answer is behind its question, without what ends it."""
        asked = [self.encode_request(question) for question in questions]
        encoded = [tuple(int(token) for token in self.codec.encode([text])[0]) for text in answers]
        ids = [(*before, *after) for before, after in zip(asked, encoded, strict=True)]
        return self._scored(ids, first=[len(before) for before in asked], texts=answers)

    def _scored(
        self, ids: Sequence[tuple[int, ...]], *, first: Sequence[int], texts: Sequence[str]
    ) -> list[DocumentScore]:
        """The scores of the tokens of each document from `first` on, which are those of `texts`."""
        work = [
            window
            for document, (tokens, begin) in enumerate(zip(ids, first, strict=True))
            for window in windows(tokens, document=document, context_tokens=self.context_tokens, first=begin)
        ]
        nats = score(self.family, work=work, num_documents=len(texts), device=self._device)
        return [
            DocumentScore(value, len(tokens) - begin, len(text.encode("utf-8", errors="surrogatepass")))
            for value, tokens, begin, text in zip(nats, ids, first, texts, strict=True)
        ]

    # --- generation ----------------------------------------------------------------------------------------------

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
        asked = sampling.model_dump() if isinstance(sampling, Config) else dict(sampling or {})
        settings = SamplingConfig.parse({**self.sampling.model_dump(), **asked}, where="sampling")
        return GenerationRequest(prompt, max_tokens, settings, seed, tuple(stop), num_top_logprobs)

    def decoder(self, num_slots: int, /) -> Decoder:
        """A decoder over the model, for callers that batch on their own."""
        return self.family.decoder(num_slots)

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
                progress = _Progress(self, request, index)
                active[decoder.add(progress.decode_request)] = progress
            for token in decoder.step():
                progress = active[token.slot]
                progress.feed(token)
                if progress.finish_reason:
                    decoder.free(token.slot)
                    del active[token.slot]
                    done[progress.index] = progress.completion()
        return [done[index] for index in range(len(requests))]

    def stream(self, request: GenerationRequest, /) -> Iterator[str]:
        """The pieces of one continuation as they become certain; leaving early stops the work."""
        progress = _Progress(self, request, 0)
        for token in stream(self.decoder(1), request=progress.decode_request):
            piece = progress.feed(token)
            if piece:
                yield piece
            if progress.finish_reason:
                return

    # --- leaving -------------------------------------------------------------------------------------------------

    def export_hf(self, folder: Path, /) -> tuple[Path, ...]:
        """Writes a folder that `transformers` loads with equal logits.

        Raises:
            CapabilityError: the net has no layout there.
        """
        shape, pretrained = self.family.shape, hasattr(self.codec, "stop_ids")
        with torch.no_grad():
            return export_hf(
                self.family.net,
                codec_folder=self._codec_folder,
                out=folder,
                bos_id=shape.bos_id,
                eos_id=sorted(self.stop_ids) if pretrained else shape.eos_id,
                context_tokens=shape.context_tokens,
                as_it_came=pretrained,
            )


class _Progress:
    """One request on its way: tokens so far, and the text that is certain."""

    def __init__(self, system: LocalSystem, request: GenerationRequest, index: int) -> None:
        self.index = index
        self.decode_request = DecodeRequest(
            prompt_ids=system.encode_request(request.prompt),
            max_new_tokens=request.max_tokens,
            sampling=request.sampling,
            seed=request.seed,
            stop_ids=system.stop_ids,
            num_top_logprobs=request.num_top_logprobs,
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
