"""A model and its parent side by side: what each takes on disk, and what answers cost in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genwright.core import ClaimDraft, Context, Derivation, GenwrightError
from genwright.systems.costs.config import CostConfig
from genwright.systems.manifest import Manifest, backend_of, write_manifest

OWN, PARENT = "own", "parent"
LABELS = {OWN: "", PARENT: "reference: parent"}
WATTS_PER_CORE = 6.0  # as the runner's meter assumes where the machine has no counters


def cost_rows(config: CostConfig, own: Path, /, *, num_parameters: int, context: Context) -> list[dict[str, Any]]:
    """Rows on the model in `own` and on the input model: bytes of each, then one per round and number of streams.

    Raises:
        GenwrightError: a model does not decode.
    """
    model = context.inputs["model"]
    folders = {OWN: own, PARENT: model.path}
    rows = [
        {"model": name, "bytes": _size(folder), "bfloat16_bytes": 2 * num_parameters}
        for name, folder in folders.items()
    ]
    paths = {artifact.digest: str(artifact.path) for artifact in context.inputs.values()}
    systems = {name: _system(name, folder, paths, context) for name, folder in folders.items()}
    with context.progress.task("measure speed and memory", total=config.rounds * len(systems)) as task:
        for number in range(config.rounds):
            for name, system in systems.items():
                rows += [{"model": name, "round": number, **row} for row in _measured(system, paths, config, context)]
                task.advance(1)
    return rows


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _system(name: str, model: Path, paths: dict[str, str], context: Context) -> Path:
    """The folder of a manifest over a model that may have no digest yet."""
    digest = next((digest for digest, path in paths.items() if path == str(model)), NO_DIGEST)
    paths[digest] = str(model)
    folder = context.folder(f"costs-{name}")
    codec = context.inputs["codec"].digest
    manifest = Manifest(backend=backend_of(model), modality=context.modality, model=digest, codec=codec)
    write_manifest(manifest, folder=folder)
    return folder


NO_DIGEST = "0" * 64


def _measured(system: Path, paths: Mapping[str, str], config: CostConfig, context: Context) -> list[dict[str, Any]]:
    asked = {
        "folder": str(system),
        "paths": paths,
        "streams": config.streams,
        "tokens": config.tokens,
        "threads": int(context.facts.get("threads", 1)),
        "device": context.device,
    }
    command = [sys.executable, "-m", "genwright.systems.costs.measuring"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        raise GenwrightError(f"the model does not decode: {(done.stderr.splitlines() or ['no output'])[-1]}")
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return [{**row, "joules": row["cpu_seconds"] * WATTS_PER_CORE} for row in found]


def cost_claims(scores: str, streams: Sequence[int], /) -> list[ClaimDraft]:
    """Bytes, speed, memory and energy of the model, and the same of its parent, from the slot `scores`."""
    drafts = [_of_model("model_bytes", "sum", "bytes", name, scores) for name in LABELS]
    share = Derivation("ratio", {"numerator": "bytes", "denominator": "bfloat16_bytes"}, where={"model": OWN})
    drafts.append(ClaimDraft("model", "share_of_bfloat16_bytes", "1", scores, share, better="lower"))
    for name in LABELS:
        for count in streams:
            drafts += _of_streams(name, count, scores)
    return [*drafts, *(_of_model("peak_memory_bytes", "max", "peak_bytes", name, scores) for name in LABELS)]


def _of_model(metric: str, estimator: Any, column: str, name: str, scores: str) -> ClaimDraft:
    derivation = Derivation(estimator, {"value": column}, where={"model": name})
    return ClaimDraft("model", metric, "bytes", scores, derivation, label=LABELS[name], better="lower")


def _of_streams(name: str, count: int, scores: str) -> list[ClaimDraft]:
    where: dict[str, str | int | float | bool] = {"model": name, "streams": count}
    label = ", ".join(part for part in (LABELS[name], f"{count} stream{'s' if count > 1 else ''}") if part)

    def draft(metric: str, unit: str, above: str, below: str, better: Any) -> ClaimDraft:
        derivation = Derivation("ratio", {"numerator": above, "denominator": below}, where=where)
        return ClaimDraft("model", metric, unit, scores, derivation, label=label, better=better)

    return [
        draft("decode_tokens_per_second", "tokens/s", "tokens", "wall_seconds", "higher"),
        draft("decode_tokens_per_cpu_second", "tokens/CPU s", "tokens", "cpu_seconds", "higher"),
        draft("joules_per_token", "J/token (6 W per busy core assumed)", "joules", "tokens", "lower"),
    ]
