"""A system whose model is a GGUF file that OpenVINO runs; torch says how likely texts are, as for llama.cpp."""

from __future__ import annotations

import torch

from genwright.families.store import GGUF
from genwright.systems.llama.system import WHOLE_TYPES, GgufSystem
from genwright.systems.openvino.decoder import OpenVinoDecoder


class OpenVinoSystem(GgufSystem):
    """Continues texts by OpenVINO GenAI in this process; the model is read with the first decoder."""

    _openvino: OpenVinoDecoder | None = None

    def decoder(self, num_slots: int, /) -> OpenVinoDecoder:  # type: ignore[override]
        """A decoder of at least so many slots; there is one, and a larger one takes its place."""
        if self._openvino is None or self._openvino.num_slots < num_slots:
            self._openvino = OpenVinoDecoder(
                self._model / GGUF,
                num_slots=num_slots,
                context_tokens=self.context_tokens,
                threads=torch.get_num_threads(),
                exact=self._file_type in WHOLE_TYPES,
            )
        return self._openvino
