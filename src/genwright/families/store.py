"""A trained family as a folder: config.json and model.safetensors, nothing executable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from genwright.core import Config, DataError, IntegrityError, StorageError, component, load_reference
from genwright.core.protocols import Fitted, Shape
from genwright.core.representations import shape_from_json, shape_to_json
from genwright.nets.packed import unpacked

FORMAT = 1
WEIGHTS, GGUF = "model.safetensors", "model.gguf"


def save_family(
    folder: Path, *, config: Config, shape: Shape, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> None:
    """Writes the folder; the same arguments give the same bytes.

    Raises:
        StorageError: the disk is full or read-only.
    """
    write_description(folder, config=config, shape=shape, facts=facts)
    try:
        save_file({name: tensors[name].contiguous().cpu() for name in sorted(tensors)}, folder / WEIGHTS)
    except SafetensorError as error:
        raise StorageError(
            f"the model could not be written: {error}", hint="free some disk space and run again"
        ) from error


def write_description(folder: Path, *, config: Config, shape: Shape, facts: Mapping[str, Any]) -> None:
    """Writes `config.json`: what the weights beside it are of."""
    body = {
        "format": FORMAT,
        "family": config.model_dump(mode="json"),
        "shape": shape_to_json(shape),
        "training": dict(facts),
    }
    text = json.dumps(body, indent=1, sort_keys=True, allow_nan=False) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def load_family(folder: Path, *, device: str = "cpu") -> Any:
    """The family in that folder, in evaluation mode and float32.

    Raises:
        IntegrityError: the folder does not hold what `save_family` writes.
    """
    try:
        body, tensors = _description(folder), _tensors(folder, device)
    except (OSError, SafetensorError, DataError) as error:
        raise IntegrityError(f"{folder.name}: not a readable model ({error})", hint="genwright verify") from error
    family = build_family(body["family"], shape=shape_from_json(body["shape"]))
    if isinstance(family, Fitted):
        family.restore(tensors)
        return family
    family.load_state_dict(tensors)
    return family.to(device).eval()


def _description(folder: Path) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise IntegrityError(f"{folder.name}: not a readable model ({error})", hint="genwright verify") from error
    if body.get("format") != FORMAT:
        raise IntegrityError(f"model format {body.get('format')!r}; this version reads format {FORMAT}")
    return body


def read_shape(folder: Path, /) -> Any:
    """The shape of what the family in that folder models.

    Raises:
        IntegrityError: the folder cannot be read.
    """
    return shape_from_json(_description(folder)["shape"])


def read_facts(folder: Path, /) -> dict[str, Any]:
    """What was noted of how the model in that folder was made.

    Raises:
        IntegrityError: the folder cannot be read.
    """
    return dict(_description(folder)["training"])


def _tensors(folder: Path, device: str) -> dict[str, Tensor]:
    if not (folder / GGUF).is_file():
        return unpacked(load_file(folder / WEIGHTS, device=device))
    read = load_reference("genwright.nets.gguf:read_model", extra="gguf")
    return {f"net.{name}": tensor.to(device) for name, tensor in read(folder / GGUF).tensors.items()}


def build_family(settings: Mapping[str, Any] | Config, *, shape: Shape, seed: int = 0) -> Any:
    """A family with fresh weights from its resolved settings; the same seed gives the same weights."""
    values = settings.model_dump(mode="json") if isinstance(settings, Config) else dict(settings)
    entry = component("families", str(values["kind"]))
    config = entry.config.parse(values, where="family")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return cast("Any", entry.load())(config, shape=shape)
