"""Encoders of other architectures, computed by `transformers`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from genwright.core import DataError, load_reference
from genwright.nets.encoder.layout import EncoderLayout


def pretrained(name: str, layout: EncoderLayout, /, *, dtype: torch.dtype, device: str) -> tuple[Any, frozenset[str]]:
    """A model by the library's class of that name, for use, and its weights that the files do not have.

    Raises:
        DataError: it cannot be read as one.
        DependencyError: the extra `pretrained` is not installed.
    """
    auto = load_reference(f"transformers:{name}", extra="pretrained")
    logging = load_reference("transformers.utils:logging", extra="pretrained")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # a second of reading is told by nobody
    try:
        model, told = auto.from_pretrained(
            layout.folder, dtype=dtype, use_safetensors=True, trust_remote_code=False, local_files_only=True,
            output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise DataError(f"{layout.folder} cannot be read as an encoder ({type(error).__name__}: {first})") from None
    finally:
        if shown:
            logging.enable_progress_bar()
    return model.eval().to(device), frozenset(told["missing_keys"])


class OtherNet:
    """Hidden states by the library's own class; texts of one length go together, so nothing is padded."""

    def __init__(self, layout: EncoderLayout, /, *, dtype: torch.dtype, device: str) -> None:
        model, _ = pretrained("AutoModel", layout, dtype=dtype, device=device)
        self._model = getattr(model, "encoder", model) if model.config.is_encoder_decoder else model
        self._device = device

    @torch.inference_mode()
    def __call__(self, texts: Sequence[Sequence[int]], /) -> list[Tensor]:
        """The last hidden states of each text, in float32."""
        found: list[Tensor] = []
        for _, run in groupby(texts, key=len):
            ids = torch.tensor(list(run), device=self._device)
            states = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            found += list(states.float())
        return found
