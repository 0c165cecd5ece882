"""Any causal language model of the `transformers` library as a net of this house: its layers, our loss and decoder."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genwright.core import CapabilityError, load_reference
from genwright.nets.net import TokenNet
from genwright.nets.wrapped_config import WrappedConfig

EXTRA = "pretrained"
LM_HEAD = "lm_head"


class Wrapped(TokenNet):
    """The library's own layers for one `config.json`. Its weights are named as in the model's files.

    `checkpointing` has the library make activations again in the backward pass.
    """

    _checkpointing = False

    def __init__(self, config: WrappedConfig, *, vocab_size: int) -> None:
        super().__init__()
        self.config, self.vocab_size = config, vocab_size
        model = make_model(config.settings)
        self.prefix = str(model.base_model_prefix)
        self.body: Any = getattr(model, self.prefix)
        head = model.get_output_embeddings()
        embedding = model.get_input_embeddings()
        if head is None or self.body is model:
            raise CapabilityError(
                f"a model of type '{config.settings.get('model_type')}' has no output layer that can be told apart",
                hint="use another model",
            )
        self.tied = bool(config.settings.get("tie_word_embeddings", head.weight is embedding.weight))
        self.lm_head = None if self.tied else head
        self.d_model = int(head.weight.shape[1])

    @property
    def checkpointing(self) -> bool:
        """Whether activations are made again in the backward pass."""
        return self._checkpointing

    @checkpointing.setter
    def checkpointing(self, on: bool) -> None:
        if on != self._checkpointing:
            self.body.gradient_checkpointing_enable() if on else self.body.gradient_checkpointing_disable()
        self._checkpointing = on

    @property
    def layers(self) -> nn.Module:
        """What carries the layers: everything but the output matrix."""
        body: nn.Module = self.body
        return body

    def features(self, ids: Int[Tensor, "b t"]) -> tuple[Float[Tensor, "b t d"], Float[Tensor, ""]]:
        """The last hidden states; what experts add to the loss is left out."""
        hidden: Tensor = self.body(input_ids=ids, use_cache=False).last_hidden_state
        return hidden, torch.zeros((), device=ids.device)

    def packed_features(self, ids: Int[Tensor, " t"], *, lengths: Sequence[int]) -> Float[Tensor, "t d"]:
        """The last hidden states of sequences that stand end to end; here each is padded to the longest."""
        rows = torch.split(ids, list(lengths))
        padded = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
        hidden, _ = self.features(padded)  # causal: what stands behind a sequence is not seen from within it
        return torch.cat([hidden[row, :length] for row, length in enumerate(lengths)])

    def head(self) -> tuple[Float[Tensor, "v d"], Float[Tensor, " v"] | None]:
        """The output matrix, the embedding's where it is tied, and its bias."""
        layer = self.body.get_input_embeddings() if self.lm_head is None else self.lm_head
        return layer.weight, getattr(layer, "bias", None)

    def compile_blocks(self) -> None:
        """Nothing: the library's layers compile or do not, each in its own way."""

    def new_cache(self, num_rows: int, *, max_tokens: int) -> RowCaches:
        """An empty cache."""
        return RowCaches(self, num_rows=num_rows)

    def tensors_of(self, tensors: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """The weights of a model's own state under the names of this net."""
        names = {f"{self.prefix}.": "body."}
        found = {}
        for name, value in tensors.items():
            if name.startswith(LM_HEAD):
                if not self.tied:
                    found[name] = value
                continue
            for theirs, ours in names.items():
                if name.startswith(theirs):
                    found[ours + name.removeprefix(theirs)] = value
        return {name: value.detach().float().contiguous() for name, value in found.items()}

    def library_tensors(self) -> dict[str, Tensor]:
        """The weights under the names of the model's own files."""
        return {
            name if name.startswith(LM_HEAD) else f"{self.prefix}.{name.removeprefix('body.')}": value.detach().float()
            for name, value in self.state_dict().items()
        }


def make_model(settings: Mapping[str, Any], /) -> Any:
    """A model of the library with fresh weights, in float32; no code that comes with a model is run.

    Raises:
        CapabilityError: the library has no causal language model of that type.
    """
    configs = load_reference("transformers:AutoConfig", extra=EXTRA)
    auto = load_reference("transformers:AutoModelForCausalLM", extra=EXTRA)
    plain = {name: value for name, value in settings.items() if name not in ("dtype", "torch_dtype", "auto_map")}
    kind = str(plain.pop("model_type", ""))
    try:
        config = configs.for_model(kind, **copy.deepcopy(plain))
        return auto.from_config(config, dtype=torch.float32)
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise CapabilityError(
            f"a model of type '{kind}' cannot be read ({first})",
            hint="causal language models of the installed transformers can",
        ) from None


class RowCaches:
    """The past of each row, kept by the library. Rows are stepped in turn: right for every layout, not fast."""

    bounded = True

    def __init__(self, net: Wrapped, *, num_rows: int) -> None:
        self._net = net
        self._pasts: list[Any] = [None] * num_rows
        self._lengths = [0] * num_rows
        # The library renamed it.
        parameters = inspect.signature(inspect.unwrap(type(net.body).forward)).parameters
        self._word = "cache" if "cache" in parameters else "past_key_values"

    def length(self, row: int, /) -> int:
        """How many tokens the row holds."""
        return self._lengths[row]

    def move(self, source: int, /, *, target: int) -> None:
        """Gives one row's past to another; the source is empty then."""
        self._pasts[target], self._lengths[target] = self._pasts[source], self._lengths[source]
        self._pasts[source], self._lengths[source] = None, 0

    @torch.no_grad()
    def prefill(self, row: int, /, *, ids: Sequence[int]) -> None:
        """Replaces the row's past by `ids`."""
        self._pasts[row], self._lengths[row] = None, 0
        if ids:
            self._feed(row, torch.tensor([list(ids)], device=self._device))

    @torch.no_grad()
    def step(self, ids: Int[Tensor, " n"], /) -> Float[Tensor, "n v"]:
        """Logits after feeding one token to each of the first n rows."""
        hidden = torch.cat([self._feed(row, token[None, None]) for row, token in enumerate(ids)])
        weight, bias = self._net.head()
        return functional.linear(hidden, weight, bias)

    @property
    def _device(self) -> torch.device:
        return next(self._net.parameters()).device

    def _feed(self, row: int, ids: Tensor) -> Tensor:
        """The last hidden state of the row after those tokens, (1, d)."""
        out = self._net.body(input_ids=ids, use_cache=True, **{self._word: self._pasts[row]})
        self._pasts[row] = out[self._word]
        self._lengths[row] += ids.shape[1]
        hidden: Tensor = out.last_hidden_state[:, -1]
        return hidden
