"""Adapters as files in the format of the `peft` library: adapter_config.json and adapter_model.safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from genwright.core import CapabilityError, DataError
from genwright.nets.lora import AdapterKind, adapters
from genwright.nets.lora_config import LoraConfig

CONFIG, WEIGHTS, BASE = "adapter_config.json", "adapter_model.safetensors", "base.json"
# peft wraps a causal LM of transformers, whose blocks lie in `model`, or where the library has them.
PEFT, PREFIX, BODY = "base_model.model.", "model.", "body."
NAMES = {"lora_A": "lora_A.weight", "lora_B": "lora_B.weight", "magnitude": "lora_magnitude_vector"}
# What would change the numbers, with the value that changes nothing.
PLAIN = {
    "bias": "none", "fan_in_fan_out": False, "rank_pattern": {}, "alpha_pattern": {}, "modules_to_save": None,
    "layers_to_transform": None, "target_parameters": None, "trainable_token_indices": None, "lora_bias": False,
}  # fmt: skip


@dataclass(frozen=True)
class AdapterFiles:
    """What an adapter's folder says of it. `base` is the digest of the model it belongs to; None where no file says."""

    config: LoraConfig
    is_dora: bool
    base: str | None
    tensors: Mapping[str, Tensor]


def save_adapter(
    net: nn.Module, folder: Path, *, config: LoraConfig, kind: AdapterKind, base_name: str, base_digest: str
) -> None:
    """Writes the adapters of `net`; `peft` loads the folder, and `base.json` says which model they belong to."""
    found = adapters(net)
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "inference_mode": True,
        "r": config.rank,
        "lora_alpha": config.alpha,
        "lora_dropout": config.dropout,
        "target_modules": sorted({name.rpartition(".")[2] for name in found}),
        "use_rslora": config.scaling == "root",
        "use_dora": kind == "dora",
        "init_lora_weights": True,
        **{name: PLAIN[name] for name in ("bias", "fan_in_fan_out")},
    }
    _write(folder / CONFIG, settings)
    write_base(folder, name=base_name, digest=base_digest, method=kind)
    tensors = {
        f"{_peft_name(net, name)}.{NAMES[part]}": parameter.detach().float().contiguous().cpu()
        for name, layer in found.items()
        for part, parameter in layer.named_parameters()
        if part in NAMES
    }
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def _peft_name(net: nn.Module, name: str) -> str:
    """The layer's name in a model of `transformers` that peft has wrapped."""
    own = str(getattr(net, "prefix", "")) + "."
    return PEFT + (own + name.removeprefix(BODY) if name.startswith(BODY) else PREFIX + name)


def write_base(folder: Path, *, name: str, digest: str, method: str) -> None:
    """Writes which model something belongs to."""
    _write(folder / BASE, {"digest": digest, "name": name, "method": method})


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_adapter(folder: Path, /) -> AdapterFiles:
    """The adapter in that folder, written here or by `peft`.

    Raises:
        DataError: there is none, or its files are broken.
        CapabilityError: it is of another kind than LoRA and DoRA over linear layers.
    """
    try:
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
        own = folder / BASE
        base = json.loads(own.read_text(encoding="utf-8"))["digest"] if own.is_file() else None
        config = LoraConfig(
            rank=settings["r"],
            alpha=settings["lora_alpha"],
            dropout=settings.get("lora_dropout") or 0.0,
            targets=tuple(sorted(settings["target_modules"])),
            scaling="root" if settings.get("use_rslora") else "rank",
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DataError(
            f"{folder} holds no adapter that can be read ({type(error).__name__}: {error})",
            hint=f"give a folder with {CONFIG} and {WEIGHTS}, as peft writes it",
        ) from None
    _refuse(settings, folder)
    return AdapterFiles(config, bool(settings.get("use_dora")), base, tensors)


def _refuse(settings: Mapping[str, Any], folder: Path) -> None:
    found = [name for name, plain in PLAIN.items() if settings.get(name) not in (plain, None, {}, [])]
    if settings.get("peft_type") != "LORA" or found:
        told = ", ".join(f"{name} = {settings[name]!r}" for name in found) or f"type {settings.get('peft_type')!r}"
        raise CapabilityError(f"{folder}: an adapter with {told} is not read here", hint="LoRA and DoRA are")


def load_adapter(net: nn.Module, files: AdapterFiles, /, *, base_digest: str) -> None:
    """Puts the weights into the adapters of `net`, which were attached by `files.config`.

    Raises:
        DataError: they belong to another model, by its digest or its shapes.
    """
    if files.base is not None and files.base != base_digest:
        raise DataError(
            f"the adapter belongs to the model {files.base[:12]}, and this is {base_digest[:12]}",
            hint="name the model that it was trained on in [base], or train a new adapter",
        )
    wanted = {
        f"{_peft_name(net, name)}.{NAMES[part]}": parameter
        for name, layer in adapters(net).items()
        for part, parameter in layer.named_parameters()
        if part in NAMES
    }
    given = {name: tuple(value.shape) for name, value in files.tensors.items()}
    asked = {name: tuple(parameter.shape) for name, parameter in wanted.items()}
    differs = sorted(name for name in given.keys() | asked.keys() if given.get(name) != asked.get(name))
    if differs:
        name = differs[0]
        raise DataError(
            f"the adapter is of another model: {len(differs)} tensors differ, such as {name} "
            f"({given.get(name)} in the adapter, {asked.get(name)} in the net)",
            hint="name the model that it was trained on in [base]",
        )
    for name, parameter in wanted.items():
        parameter.data.copy_(files.tensors[name])
