"""The compress stage: a smaller model, and what it costs beside its parent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from genwright.core import ClaimDraft, Context, Derivation, Produced, StageResult
from genwright.families.store import load_family
from genwright.measure import write_scores
from genwright.stages.compress.config import CompressConfig
from genwright.stages.compress.costs import cost_rows
from genwright.stages.compress.quantise import quantise
from genwright.systems import Manifest, backend_of, write_manifest

OWN, PARENT = "compressed", "parent"


def run(config: CompressConfig, context: Context, /) -> StageResult:
    """The model, and a table of its costs and its parent's.

    Raises:
        DataError: the model's weights are not finite.
        CapabilityError: the net has no layout of the type asked for.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    model, codec = context.inputs["model"].path, context.inputs["codec"].path
    folder = context.folder("model")
    with context.progress.task(f"quantise to {config.method.type}", total=None):
        quantise(config.method, model=model, codec=codec, out=folder)
    num_parameters = sum(value.numel() for value in load_family(folder).state_dict().values())
    sizes = [_size_row(name, path, num_parameters) for name, path in ((OWN, folder), (PARENT, model))]
    systems = {
        OWN: _system(OWN, folder.name, folder, context),
        PARENT: _system(PARENT, context.inputs["model"].digest, model, context),
    }
    rows = [*sizes, *cost_rows(config.costs, systems, context=context)]
    names = dict.fromkeys(name for row in rows for name in row)
    write_scores(context.folder("compress_scores"), {name: [row.get(name) for row in rows] for name in names})
    produced = {
        "model": Produced("model", folder),
        "compress_scores": Produced("scores", context.scratch / "compress_scores"),
    }
    return StageResult(produced, _claims(config.costs.streams))


def _size_row(name: str, folder: Path, num_parameters: int) -> dict[str, Any]:
    return {
        "model": name,
        "bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "bfloat16_bytes": 2 * num_parameters,
    }


def _claims(streams: Sequence[int]) -> list[ClaimDraft]:
    drafts = [
        ClaimDraft("model", "model_bytes", "bytes", "compress_scores",
                   Derivation("sum", {"value": "bytes"}, where={"model": name}), label=label, better="lower")
        for name, label in ((OWN, ""), (PARENT, "reference: parent"))
    ]  # fmt: skip
    share = Derivation("ratio", {"numerator": "bytes", "denominator": "bfloat16_bytes"}, where={"model": OWN})
    drafts.append(ClaimDraft("model", "share_of_bfloat16_bytes", "1", "compress_scores", share, better="lower"))
    for name, said in ((OWN, ""), (PARENT, "reference: parent, ")):
        for count in streams:
            drafts += _of_streams(name, f"{said}{count} stream{'s' if count > 1 else ''}", count)
        peak = Derivation("max", {"value": "peak_bytes"}, where={"model": name})
        drafts.append(
            ClaimDraft("model", "peak_memory_bytes", "bytes", "compress_scores", peak,
                       label=said.rstrip(", "), better="lower")
        )  # fmt: skip
    return drafts


def _of_streams(name: str, label: str, count: int) -> list[ClaimDraft]:
    where: dict[str, str | int | float | bool] = {"model": name, "streams": count}

    def draft(metric: str, unit: str, above: str, below: str, better: Any) -> ClaimDraft:
        derivation = Derivation("ratio", {"numerator": above, "denominator": below}, where=where)
        return ClaimDraft("model", metric, unit, "compress_scores", derivation, label=label, better=better)

    return [
        draft("decode_tokens_per_second", "tokens/s", "tokens", "wall_seconds", "higher"),
        draft("decode_tokens_per_cpu_second", "tokens/CPU s", "tokens", "cpu_seconds", "higher"),
        draft("joules_per_token", "J/token (6 W per busy core assumed)", "joules", "tokens", "lower"),
    ]


def _system(name: str, model: str, at: Path, context: Context) -> Path:
    folder = context.folder(f"system-{name}")
    codec = context.inputs["codec"].digest
    manifest = Manifest(backend=backend_of(at), modality=context.modality, model=model, codec=codec)
    write_manifest(manifest, folder=folder)
    return folder
