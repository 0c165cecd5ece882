"""A system whose model is a GGUF file: llama.cpp answers, and torch says how likely texts are under its weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Codec, TokenShape
from genwright.families.gguf_store import FileType
from genwright.families.store import GGUF, read_facts, read_shape
from genwright.modalities.codec import load_codec
from genwright.systems.llama.agreement import compare_marks
from genwright.systems.llama.decoder import LlamaDecoder
from genwright.systems.llama.process import EngineSettings, LlamaProcess
from genwright.systems.local import LocalSystem
from genwright.systems.manifest import Manifest
from genwright.systems.requests import Chat, DocumentScore
from genwright.systems.tokens import TokenSystem

EVERY_LAYER = 999
WHOLE_TYPES = ("f32", "f16", "bf16")


class GgufSystem(TokenSystem):
    """Continues texts by llama.cpp in a child process, which starts with the first decoder."""

    def __init__(
        self, model: Path, *, codec: Codec, shape: TokenShape, manifest: Manifest, codec_folder: Path, device: str
    ) -> None:
        super().__init__(codec=codec, manifest=manifest, context_tokens=shape.context_tokens)
        self._model, self._codec_folder, self._device = model, codec_folder, device
        self._file_type = read_facts(model).get("file_type")
        self._decoder: LlamaDecoder | None = None

    @classmethod
    def load(cls, manifest: Manifest, /, *, locate: Callable[[str], Path], device: str = "cpu") -> GgufSystem:
        """The system of that manifest; `locate` gives an artifact's folder by its digest.

        Raises:
            CapabilityError: model and codec do not fit.
        """
        model, codec_folder = locate(manifest.model), locate(manifest.codec)
        shape, codec = read_shape(model), load_codec(codec_folder)
        if codec.vocab_size != shape.vocab_size:
            raise CapabilityError(
                f"the model knows {shape.vocab_size} tokens and the codec {codec.vocab_size}",
                hint="evaluate the model with the codec it was trained with",
            )
        return cls(model, codec=codec, shape=shape, manifest=manifest, codec_folder=codec_folder, device=device)

    def decoder(self, num_slots: int, /) -> LlamaDecoder:
        """A decoder of at least so many slots; there is one, and a larger one takes its place."""
        if self._decoder is None or self._decoder.num_slots < num_slots:
            if self._decoder is not None:
                self._decoder.process.stop()
            settings = EngineSettings(
                model=str(self._model / GGUF),
                context_tokens=self.context_tokens,
                num_slots=num_slots,
                threads=torch.get_num_threads(),
                exact=self._file_type in WHOLE_TYPES,
                gpu_layers=0 if self._device == "cpu" else EVERY_LAYER,
            )
            self._decoder = LlamaDecoder(LlamaProcess(settings), codec=self.codec)
            self._decoder.process.start()
        return self._decoder

    @cached_property
    def twin(self) -> LocalSystem:
        """The same weights, as the file rounds them, in the net of this house."""
        folders = {self.manifest.model: self._model, self.manifest.codec: self._codec_folder}
        return LocalSystem.load(self.manifest, locate=folders.__getitem__)

    def marks_compared(self) -> dict[str, bool]:
        """Whether template, tokens and marks in the GGUF file are, byte by byte, those of the codec."""
        return compare_marks(self._model / GGUF, codec=self.codec, codec_folder=self._codec_folder)

    def export_hf(self, folder: Path, /) -> tuple[Path, ...]:
        """Writes a folder that `transformers` loads, with the file's weights in float32."""
        return self.twin.export_hf(folder)

    def export_gguf(self, out: Path, /, *, file_type: FileType) -> None:
        """The model's file: as it is, or quantised once more.

        Raises:
            SpecError: there is no such type.
        """
        if file_type == self._file_type:
            shutil.copyfile(self._model / GGUF, out)
        else:
            self.twin.export_gguf(out, file_type=file_type)

    def log_prob(self, texts: Sequence[str], /) -> list[DocumentScore]:
        """How likely each text is under the file's weights, in float32 (llama.cpp rounds what it multiplies)."""
        return self.twin.log_prob(texts)

    def embed(self, texts: Sequence[str], /) -> tuple[np.ndarray[Any, Any], list[int]]:
        """Of each text a vector of length 1, computed likewise; and the numbers of tokens."""
        return self.twin.embed(texts)

    def answer_log_prob(self, questions: Sequence[str | Chat], answers: Sequence[str], /) -> list[DocumentScore]:
        """How likely each answer is behind its question, in the same way."""
        return self.twin.answer_log_prob(questions, answers)
