"""BERT over texts laid end to end, without padding: a row's numbers do not depend on what lies beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from genwright.core import CapabilityError, DataError

ACTIVATIONS = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
# Products of fewer rows than this are rounded in another way (seen up to 11 rows, in float32, on two threads).
LEAST_ROWS = 32


@dataclass(frozen=True)
class _Layer:
    """Weights of one block; queries, keys and values stand in one matrix."""

    qkv: tuple[Tensor, Tensor]
    out: tuple[Tensor, Tensor]
    norm_attention: tuple[Tensor, Tensor]
    up: tuple[Tensor, Tensor]
    down: tuple[Tensor, Tensor]
    norm_mlp: tuple[Tensor, Tensor]


class Bert:
    """Hidden states of texts given as tokens.

    Source: arXiv:1810.04805; the tensors' names are those of `transformers`.

    Raises:
        CapabilityError: the settings ask for what is not computed here.
        DataError: tensors are missing.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], config: Mapping[str, Any], /, *, dtype: torch.dtype, device: str
    ) -> None:
        _check(config)
        self.num_heads, self.d = int(config["num_attention_heads"]), int(config["hidden_size"])
        self.eps = float(config.get("layer_norm_eps", 1e-12))
        self.approximate = ACTIVATIONS[config.get("hidden_act", "gelu")]
        self.dtype, self.device = dtype, device
        named = {name.removeprefix("bert."): value for name, value in tensors.items()}
        try:
            embeddings = {
                name: named[f"embeddings.{name}_embeddings.weight"].float().to(device)
                for name in ("word", "position", "token_type")
            }
            weight, bias = (named[f"embeddings.LayerNorm.{part}"].float().to(device) for part in ("weight", "bias"))
            self._layers = [self._layer(named, at) for at in range(int(config["num_hidden_layers"]))]
        except KeyError as error:
            raise DataError(f"the encoder's weights lack {error}", hint="look at its safetensors") from None
        self._norm = (weight, bias)
        self._word = embeddings["word"]
        self._place = embeddings["position"] + embeddings["token_type"][0]

    def _layer(self, named: Mapping[str, Tensor], at: int) -> _Layer:
        def pair(name: str) -> tuple[Tensor, Tensor]:
            weight, bias = (named[f"encoder.layer.{at}.{name}.{part}"] for part in ("weight", "bias"))
            return weight.to(self.device, self.dtype), bias.to(self.device, self.dtype)

        heads = [pair(f"attention.self.{name}") for name in ("query", "key", "value")]
        return _Layer(
            qkv=(torch.cat([one[0] for one in heads]), torch.cat([one[1] for one in heads])),
            out=pair("attention.output.dense"),
            norm_attention=pair("attention.output.LayerNorm"),
            up=pair("intermediate.dense"),
            down=pair("output.dense"),
            norm_mlp=pair("output.LayerNorm"),
        )

    @torch.inference_mode()
    def __call__(self, texts: Sequence[Sequence[int]], /) -> list[Float[Tensor, "t d"]]:
        """The last hidden states of each text, in float32."""
        short = LEAST_ROWS - sum(len(text) for text in texts)
        if short > 0:
            return self([*texts, *[[0]] * short])[: len(texts)]
        lengths = [len(text) for text in texts]
        ids = torch.tensor([token for text in texts for token in text], device=self.device)
        places = torch.cat([torch.arange(length) for length in lengths]).to(self.device)
        x = functional.layer_norm(self._word[ids] + self._place[places], (self.d,), *self._norm, eps=self.eps)
        x = x.to(self.dtype)
        runs = [(length, len(list(run))) for length, run in groupby(lengths)]
        for layer in self._layers:
            mixed = self._attention(functional.linear(x, *layer.qkv), runs)
            x = self._normal(x + functional.linear(mixed, *layer.out), layer.norm_attention)
            inner = functional.gelu(functional.linear(x, *layer.up), approximate=self.approximate)
            x = self._normal(x + functional.linear(inner, *layer.down), layer.norm_mlp)
        return list(torch.split(x.float(), lengths))

    def _normal(self, x: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
        return functional.layer_norm(x, (self.d,), *weights, eps=self.eps)

    def _attention(self, qkv: Float[Tensor, "t k"], runs: Sequence[tuple[int, int]]) -> Float[Tensor, "t d"]:
        """Each text attends to itself; texts of one length stand together in one call."""
        mixed: list[Tensor] = []
        sizes = [length * count for length, count in runs]
        for (length, count), part in zip(runs, torch.split(qkv, sizes), strict=True):
            q, k, v = part.view(count, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
            found = functional.scaled_dot_product_attention(q, k, v)
            mixed.append(found.transpose(1, 2).reshape(count * length, self.d))
        return torch.cat(mixed) if len(mixed) > 1 else mixed[0]


def _check(config: Mapping[str, Any]) -> None:
    kind = config.get("position_embedding_type", "absolute")
    if kind != "absolute":
        raise CapabilityError(f"the encoder's positions are '{kind}'; absolute ones are computed here")
    if config.get("hidden_act", "gelu") not in ACTIVATIONS:
        raise CapabilityError(f"the encoder's activation '{config['hidden_act']}' is none of {', '.join(ACTIVATIONS)}")
