"""A system on this machine: a model of ours with its codec."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from genwright.core import CapabilityError, SpecError
from genwright.core.protocols import Codec, Tokens
from genwright.families.autoregressive import Autoregressive
from genwright.families.decoding import Decoder
from genwright.families.gguf_store import FileType, write_gguf
from genwright.families.speculative import SpeculativeDecoder, check_draft
from genwright.families.store import load_family
from genwright.modalities.codec import load_codec
from genwright.nets.export import export_hf
from genwright.systems.grammar import Grammars
from genwright.systems.manifest import Manifest
from genwright.systems.requests import Chat, DocumentScore
from genwright.systems.tokens import TokenSystem
from genwright.systems.windows import score, windows


class LocalSystem(TokenSystem):
    """Scores and continues texts by torch; a `draft` hurries continuations on and changes none."""

    def __init__(
        self,
        family: Autoregressive,
        *,
        codec: Codec,
        manifest: Manifest,
        codec_folder: Path,
        device: str = "cpu",
        draft: Autoregressive | None = None,
    ) -> None:
        super().__init__(codec=codec, manifest=manifest, context_tokens=family.shape.context_tokens)
        self.family, self.draft = family, draft
        self._codec_folder, self._device = codec_folder, device
        self._grammars = Grammars(codec_folder, vocab_size=codec.vocab_size, stop_ids=self.stop_ids)

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
        draft = None if manifest.draft is None else _draft(locate(manifest.draft), family=family, device=device)
        return cls(family, codec=codec, manifest=manifest, codec_folder=codec_folder, device=device, draft=draft)

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

    @torch.no_grad()
    def embed(self, texts: Sequence[str], /) -> tuple[np.ndarray[Any, Any], list[int]]:
        """Of each text a vector of length 1: the mean of the net's last states over its tokens; and their numbers.

        Raises:
            CapabilityError: a text is longer than the context.
        """
        rows, sizes = [], []
        for text in texts:
            ids = self.encode_prompt(text)
            if len(ids) > self.context_tokens:
                raise CapabilityError(f"a text has {len(ids)} tokens; the context holds {self.context_tokens}")
            found = self.family.embed(Tokens(torch.tensor([ids], device=self._device)))[0].float()
            rows.append((found / found.norm().clamp(min=1e-12)).cpu().numpy())
            sizes.append(len(ids))
        return np.stack(rows), sizes

    def decoder(self, num_slots: int, /) -> Decoder:
        """A decoder over the model, for callers that batch on their own."""
        if self.draft is None:
            return self.family.decoder(num_slots, grammars=self._grammars)
        return SpeculativeDecoder(
            self.family.net,
            draft=self.draft.net,
            num_slots=num_slots,
            context_tokens=self.context_tokens,
            grammars=self._grammars,
        )

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

    def export_gguf(self, out: Path, /, *, file_type: FileType) -> None:
        """Writes one file that llama.cpp loads.

        Raises:
            SpecError: there is no such type.
            CapabilityError: the net or the tokenizer has no layout there.
        """
        if file_type not in get_args(FileType):
            raise SpecError(f"there is no GGUF type '{file_type}'", hint=f"choose of {', '.join(get_args(FileType))}")
        write_gguf(self.family, codec_folder=self._codec_folder, out=out, file_type=file_type)


def _draft(folder: Path, *, family: Autoregressive, device: str) -> Autoregressive:
    draft: Autoregressive = load_family(folder, device=device)
    check_draft(draft.net, net=family.net)
    if draft.shape.context_tokens < family.shape.context_tokens:
        raise CapabilityError(
            f"the draft reads {draft.shape.context_tokens:,} tokens and the model {family.shape.context_tokens:,}",
            hint="a draft reads at least as much as the model",
        )
    return draft
