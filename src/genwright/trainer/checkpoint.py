"""Checkpoints that a kill cannot break: written aside, forced to disk, then renamed; the two newest are kept."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from genwright.core import StorageError
from genwright.core.digest import canonical_json, file_digest, json_digest
from genwright.core.durable import sync

KEPT = 2
NAME = re.compile(r"step-(\d+)")


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds: tensors by name, and plain JSON."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]


def save_checkpoint(folder: Path, *, step: int, saved: Saved) -> Path:
    """Writes the checkpoint of that step; afterwards it is on disk in full, and older ones beyond two are gone.

    Raises:
        StorageError: the disk is full or read-only; earlier checkpoints are untouched.
    """
    target = folder / f"step-{step}"
    temporary = folder / f".writing-{step}"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        save_file({k: v.contiguous().cpu() for k, v in saved.tensors.items()}, temporary / "state.safetensors")
        body = {"state": dict(saved.state), "tensors_sha256": file_digest(temporary / "state.safetensors")}
        record = canonical_json({**body, "sha256": json_digest(body)})
        (temporary / "state.json").write_bytes(record)
        for path in (*temporary.iterdir(), temporary):
            sync(path)
        if target.exists():
            shutil.rmtree(target)
        temporary.replace(target)
        sync(folder)
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise StorageError(
            f"the checkpoint of step {step} could not be written: {error}",
            hint="free some disk space and run again; training goes on from the checkpoint before",
        ) from error
    for old in _found(folder)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_checkpoint(folder: Path, *, say: Callable[[str], None]) -> Saved | None:
    """The newest whole checkpoint; None where there is none. Broken ones are named through `say` and passed over."""
    for path in _found(folder):
        try:
            return _read(path)
        except (OSError, ValueError, KeyError) as error:
            say(f"checkpoint {path.name} is damaged ({error}); going back to the one before")
            shutil.rmtree(path, ignore_errors=True)
    return None


def _read(path: Path) -> Saved:
    record = json.loads((path / "state.json").read_bytes())
    body = {"state": record["state"], "tensors_sha256": record["tensors_sha256"]}
    if json_digest(body) != record["sha256"]:
        raise ValueError("state.json does not match its digest")
    if file_digest(path / "state.safetensors") != record["tensors_sha256"]:
        raise ValueError("state.safetensors does not match its digest")
    return Saved(load_file(path / "state.safetensors"), record["state"])


def _found(folder: Path) -> list[Path]:
    """Checkpoint folders, newest first."""
    if not folder.is_dir():
        return []
    steps = [(int(match[1]), path) for path in folder.iterdir() if (match := NAME.fullmatch(path.name))]
    return [path for _, path in sorted(steps, reverse=True)]
