"""Evaluating a system whose samples stand for themselves: beside other real data, a copy of train, and a baseline."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from genwright.core import (
    ClaimDraft,
    Context,
    DataError,
    Derivation,
    Produced,
    StageResult,
    component,
    modality_component,
)
from genwright.core.digest import entries_digest, folder_entries
from genwright.core.protocols import Candidate, ModelledModality
from genwright.families.store import build_family
from genwright.measure import write_scores
from genwright.modalities.dataset import read_rows
from genwright.stages.evaluate.anomalies import anomaly_claims, anomaly_rows
from genwright.stages.evaluate.collapse import reached
from genwright.stages.evaluate.likelihoods import likelihood_claims, likelihood_rows
from genwright.stages.evaluate.properties import fit_properties, property_claims, property_rows
from genwright.systems import DrawingConfig, Manifest, load_system, write_manifest
from genwright.systems.rows import RowSystem
from genwright.trainer.rows import RowFeed

FLOOR = "reference: other real samples"
COPY = "reference: train samples drawn again"
ROWS_AT_ONCE = 4096
MOST_BASELINE_ROWS = 100_000
SHARES = {"legal_share": "legal", "different_share": "different", "new_share": "new", "modes_reached": "reached"}


def evaluate_rows(config: Any, context: Context, /) -> StageResult:
    """System, metrics of all candidates, samples, and the likelihood of held-out samples.

    Raises:
        DataError: the test split is empty, or the settings of the metrics do not fit the data.
    """
    dataset = context.inputs["dataset"].path
    # Files have an order (by site, by year): the first rows of a split are no sample of it.
    rng = np.random.default_rng(context.seed_for("order"))
    splits = {name: _shuffled(read_rows(dataset, split=name), rng) for name in ("train", "validation", "test")}
    if not len(splits["test"]):
        raise DataError(
            "the test split is empty, so nothing can be evaluated", hint="raise data.split.test, or add data"
        )
    folder = context.folder("system")
    modality: ModelledModality = modality_component(context.modality).load()()
    if hasattr(modality, "check_metrics"):
        modality.check_metrics(config.metrics, train=splits["train"], test=splits["test"])
    system = _system(config, context, splits, modality, folder)
    candidates = _candidates(config, context, splits, system)
    context.progress.say(f"  measuring {len(candidates)} sets of samples")
    measured = modality.measure(
        candidates, train=splits["train"], test=splits["test"], config=config.metrics, seed=context.seed_for("measure")
    )
    write_scores(context.folder("scores"), measured.columns, arrays=measured.arrays)
    _write_samples(candidates[0].rows, modality, context.folder("samples"), folder)
    more, asked = [], []
    if config.anomalies is not None:
        more += anomaly_rows(config, context, system=system, modality=modality, test=splits["test"])
        asked += anomaly_claims(config)
    if config.properties is not None:
        more += property_rows(config.properties, splits, system=system, modality=modality)
        asked += property_claims(config, features=hasattr(modality, "features"))
    if hasattr(modality, "restored"):
        whole = {"train": splits["train"], "test": splits["test"], "seed": context.seed_for("damage")}
        restored, claimed = modality.restored(system, config=config, **whole)
        more += restored
        asked += claimed
    columns, drafts = _own_scores(candidates, splits, system, modality, config, more=more)
    drafts += asked
    write_scores(context.folder("generation_scores"), columns)
    kinds = {"system": "system", "scores": "scores", "samples": "samples", "generation_scores": "scores"}
    produced = {slot: Produced(kind, context.scratch / slot) for slot, kind in kinds.items()}
    return StageResult(produced, [*drafts, *measured.drafts])


def _system(
    config: Any, context: Context, splits: dict[str, pa.Table], modality: ModelledModality, folder: Path
) -> RowSystem:
    """The system in `folder`, with a head for the properties that it is to predict."""
    inputs = {artifact.digest: artifact.path for artifact in context.inputs.values()}
    model, codec = context.inputs["model"].digest, context.inputs["codec"].digest
    drawing = DrawingConfig(temperature=config.temperature, guidance=config.guidance, steps=config.steps)
    manifest = Manifest(backend="rows", modality=context.modality, model=model, codec=codec, drawing=drawing)
    if config.properties is not None:
        plain = RowSystem.load(manifest, locate=inputs.__getitem__, device=context.device)
        context.progress.say(f"  fitting a head for {', '.join(config.properties.columns)}")
        fit_properties(config.properties, splits, system=plain, modality=modality).save(folder)
        manifest = manifest.model_copy(update={"properties": config.properties.kept})
    write_manifest(manifest, folder=folder)
    system: RowSystem = load_system(folder, locate=inputs.__getitem__, device=context.device)
    return system


def _candidates(config: Any, context: Context, splits: dict[str, pa.Table], system: RowSystem) -> list[Candidate]:
    """The system's samples first, then the references at no more samples than there are."""
    n = min(config.num_samples, len(splits["test"]))
    conditioner = getattr(system.codec, "conditioner", None)
    test = splits["test"].slice(0, n)
    asked = test if conditioner is None else conditioner.seen(test)
    with context.progress.task("draw samples", total=n):
        rows = system.sample(
            n,
            seed=context.seed_for("samples"),
            conditions=None if conditioner is None else asked,
        )
    rng = np.random.default_rng(context.seed_for("references"))
    train, floor = splits["train"], splits["validation"]
    again = train.take(pa.array(rng.integers(len(train), size=n)))
    found = [Candidate("system", "", _with_asked(rows, system, asked))]
    if len(floor):
        found.append(_real("floor", FLOOR, floor.slice(0, n)))
    found.append(_real("copy", COPY, again))
    if config.baseline == "on":
        few = train.slice(0, MOST_BASELINE_ROWS)
        named = modality_component(context.modality).baselines
        found += [_baseline(*one, train=few, n=n, context=context, place=at) for at, one in enumerate(named)]
    return found


def _with_asked(rows: pa.Table, system: RowSystem, test: pa.Table) -> pa.Table:
    """The system's samples with what was asked for, where samples do not hold it themselves."""
    names = getattr(getattr(system.codec, "conditioner", None), "names", ())
    for name in names:
        if name not in rows.column_names:
            rows = rows.append_column(name, test.column(name).slice(0, len(rows)))
    return rows


def _baseline(family: str, codec: str, *, train: pa.Table, n: int, context: Context, place: int) -> Candidate:
    """Samples of the modality's own non-neural family, fitted here on the same train split, 100,000 rows at most."""
    context.progress.say(f"  baseline: {family}")
    entry = component("codecs", codec)
    fitted = entry.load().fit(entry.config.parse({"kind": codec}, where="baseline"), rows=[train])
    settings: Any = component("families", family).config.parse({"kind": family}, where="baseline")
    config = settings.resolve(depth=1, shape=fitted.shape)
    built = build_family(config, shape=fitted.shape, seed=context.seed_for("baseline"))
    feed = RowFeed(fitted.encode(train), shape=fitted.shape, seed=0, device="cpu", shuffle=False)
    built.fit(feed.all_batches(size=512), rng=torch.Generator().manual_seed(context.seed_for("baseline")))
    rows = RowSystem(built, codec=fitted).sample(n, seed=context.seed_for("baseline"))
    return Candidate(f"baseline {place + 1}" if place else "baseline", f"baseline: {family}", rows)


def _real(name: str, label: str, rows: pa.Table) -> Candidate:
    return Candidate(name, label, _payload(rows), rows.column("group").to_pylist())


def _shuffled(rows: pa.Table, rng: np.random.Generator) -> pa.Table:
    return rows.take(pa.array(rng.permutation(len(rows))))


def _payload(rows: pa.Table) -> pa.Table:
    return rows.drop_columns([name for name in ("id", "group") if name in rows.column_names])


def _slices(rows: pa.Table) -> Iterator[pa.Table]:
    return (rows.slice(at, ROWS_AT_ONCE) for at in range(0, len(rows), ROWS_AT_ONCE))


def _write_samples(rows: pa.Table, modality: ModelledModality, folder: Path, system: Path) -> None:
    modality.write(rows, folder)
    preview = modality.preview(rows, folder / "preview")
    body = {"system": entries_digest(folder_entries(system)), "samples": [], "preview": preview.name}
    (folder / "samples.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def _own_scores(
    candidates: Sequence[Candidate],
    splits: dict[str, pa.Table],
    system: RowSystem,
    modality: ModelledModality,
    config: Any,
    *,
    more: Sequence[dict[str, Any]] = (),
) -> tuple[dict[str, list[Any]], list[ClaimDraft]]:
    """Legal, different and new samples of each candidate and what they come near, the nats of held-out samples, and
    `more`, in one table."""
    known = {key for part in _slices(_payload(splits["train"])) for key in modality.keys(part)}
    held_out = _payload(splits["test"])
    rows: list[dict[str, Any]] = []
    drafts: list[ClaimDraft] = []
    for candidate in candidates:
        seen: set[bytes] = set()
        keys = modality.keys(candidate.rows)
        near = reached(candidate.rows, held_out, modality)
        for key, why, first in zip(keys, modality.validate(candidate.rows), near, strict=True):
            legal = why is None
            fresh = {"different": key not in seen, "new": key not in known} if legal else {}
            rows.append({"candidate": candidate.name, "legal": legal, "reached": first, **fresh})
            seen.add(key)
        for metric, column in SHARES.items():
            drafts.append(_share(metric, column, candidate, config.level))
    likely, kind = likelihood_rows(system, train=splits["train"], test=splits["test"])
    if likely:
        rows += likely
        drafts[:0] = likelihood_claims(system.codec.unit, kind, config)
    names = ["candidate", *SHARES.values(), "id", "nats", "units", "group", "member", "score"]
    rows += more
    names += [name for name in dict.fromkeys(name for row in more for name in row) if name not in names]
    return {name: [row.get(name) for row in rows] for name in names}, drafts


def _share(metric: str, column: str, candidate: Candidate, level: float) -> ClaimDraft:
    derivation = Derivation(
        "proportion",
        {"value": column},
        where={"candidate": candidate.name},
        # Whether a sample comes near something new depends on those before it.
        interval="none" if column == "reached" else "wilson",
        level=level,
    )
    return ClaimDraft(
        "system",
        metric,
        "share of samples",
        "generation_scores",
        derivation,
        label=candidate.label,
        data="dataset",
        better="higher",
        headline=candidate.name == "system",
    )
