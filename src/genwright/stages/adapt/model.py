"""The model that is adapted: loaded, given what moves, and made whole again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from genwright.core import CapabilityError, Context, SpecError
from genwright.families.store import load_family, save_family
from genwright.nets.adapter_files import AdapterFiles, load_adapter, read_adapter, save_adapter, write_base
from genwright.nets.lora import AdapterKind, adapters, attach, merged_tensors
from genwright.nets.lora_config import LoraConfig
from genwright.nets.transformer import Transformer
from genwright.nets.wrapped import Wrapped
from genwright.stages.adapt.config import AdaptConfig

NET = "net."


@dataclass(frozen=True)
class Adaptable:
    """A family whose net moves by adapters of a kind, or in every weight where `kind` is None."""

    family: Any
    kind: AdapterKind | None
    lora: LoraConfig

    @property
    def net(self) -> Transformer:
        """The net, with adapters in place."""
        net: Transformer = self.family.net
        return net

    @property
    def num_trainable(self) -> int:
        """How many numbers move."""
        return sum(parameter.numel() for parameter in self.net.parameters() if parameter.requires_grad)

    def take(self, tensors: Mapping[str, Tensor], /) -> None:
        """Takes up trained weights by the names that they have in the family."""
        parameters = dict(self.family.named_parameters())
        for name, value in tensors.items():
            parameters[name].data.copy_(value)

    def merged(self) -> dict[str, Tensor]:
        """The weights of the same family without adapters."""
        return {f"{NET}{name}": value for name, value in merged_tensors(self.net).items()}


def load_adaptable(config: AdaptConfig, context: Context, /) -> Adaptable:
    """The input model with what moves.

    Raises:
        CapabilityError: it is no autoregressive transformer.
        SpecError: a target is no layer of it, or `start` is not what the method asks for.
        DataError: `start` holds no adapter, or one of another model.
    """
    family = load_family(context.inputs["model"].path, device=context.device)
    net = getattr(family, "net", None)
    if not isinstance(net, Transformer | Wrapped):
        raise CapabilityError(
            "[adapt] moves a transformer, and this model is none", hint="train.family.net = 'transformer'"
        )
    net.checkpointing = config.checkpointing == "on"
    if config.method == "full":
        if base_facts(context).get("pruned") == "weights":
            _keep_zeros(net)
        return Adaptable(family, None, config.lora)
    files = None if config.lora.start is None else read_adapter(context.root / config.lora.start)
    lora = config.lora if files is None else _as_written(files, config)
    attach(net, config=lora, kind=config.method, seed=context.seed_for("adapters"))
    if files is not None:
        load_adapter(net, files, base_digest=context.inputs["model"].digest)
    net.to(context.device)
    return Adaptable(family, config.method, lora)


def _keep_zeros(net: Transformer | Wrapped) -> None:
    """What was pruned gets no gradient, so that AdamW, which has no decay here, leaves it 0."""
    for parameter in net.layers.parameters():
        if parameter.ndim == 2:
            kept = parameter.detach() != 0
            parameter.register_hook(lambda gradient, kept=kept: gradient * kept)  # type: ignore[no-untyped-call]


def _as_written(files: AdapterFiles, config: AdaptConfig) -> LoraConfig:
    if files.is_dora != (config.method == "dora"):
        found = "dora" if files.is_dora else "lora"
        raise SpecError(f"adapt.lora.start holds a {found} adapter, and adapt.method is '{config.method}'")
    return files.config


def base_facts(context: Context, /) -> dict[str, Any]:
    """What the input model's description says of its making."""
    body = json.loads((context.inputs["model"].path / "config.json").read_text(encoding="utf-8"))
    return dict(body.get("training", {}))


def write_model(adaptable: Adaptable, folder: Path, *, facts: Mapping[str, Any]) -> None:
    """The model with its adapters merged in, in the layout of the input."""
    family = adaptable.family
    save_family(folder, config=family.config, shape=family.shape, tensors=adaptable.merged(), facts=facts)


def write_adapter(adaptable: Adaptable, folder: Path, *, context: Context) -> None:
    """The adapter as `peft` reads it; of a model that moved as a whole only what it was made from."""
    name, digest = str(base_facts(context).get("base", "model")), context.inputs["model"].digest
    if adaptable.kind is None:
        write_base(folder, name=name, digest=digest, method="full")
        return
    assert adapters(adaptable.net), "attached when loaded"
    save_adapter(adaptable.net, folder, config=adaptable.lora, kind=adaptable.kind, base_name=name, base_digest=digest)
