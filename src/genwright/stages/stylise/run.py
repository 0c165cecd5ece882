"""The stylise stage: published nets become a system, which draws pairs and is measured on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from genwright.core import Context, DataError, Interrupted, Produced, StageResult, modality_component
from genwright.core.digest import entries_digest, folder_entries
from genwright.measure import write_scores
from genwright.modalities.dataset import SPLITS, read_split
from genwright.modalities.image.pixels import Levels, decode_png, pictures_of
from genwright.modalities.image.style.claims import drafts
from genwright.modalities.image.style.colours import with_colours_of
from genwright.modalities.image.style.picture import checked
from genwright.modalities.image.style.scoring import Pair, score_pairs
from genwright.modalities.image.style.trunk import Trunk
from genwright.modalities.image.style.weights import TRUNK, files_of
from genwright.stages.stylise.config import StyliseConfig
from genwright.systems import Manifest, load_system, write_manifest
from genwright.systems.style import StyleSystem, save_styler

SHOWN = 16


@dataclass(frozen=True)
class _Picture:
    id: str
    levels: Levels


def run(config: StyliseConfig, context: Context, /) -> StageResult:
    """Model, system, scores by pair, and what was drawn.

    Raises:
        DataError: a source holds fewer than two pictures, or they are too small.
        Interrupted: the user stopped the work.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    styles = _pictures(config.styles, context)
    contents = _contents(config, context)
    order = np.random.default_rng(context.seed_for("styles")).permutation(len(styles))
    system = _system(config, context)
    pairs: list[Pair] = []
    with context.progress.task("draw", total=len(contents)) as task:
        for at, content in enumerate(contents):
            _stop_if_asked(context)
            number = int(order[at % len(order)])
            pairs.append(_drawn(content.levels, number, styles[number].levels, system, context.seed_for(f"pair {at}")))
            task.advance()
    _measure(pairs, styles, config, context)
    _write_samples(pairs, contents, styles, context)
    kinds = {"model": "model", "system": "system", "scores": "scores", "samples": "samples"}
    claims = drafts(choices=config.choices, level=config.level, resamples=config.resamples)
    return StageResult({slot: Produced(kind, context.scratch / slot) for slot, kind in kinds.items()}, claims)


def _drawn(content: Levels, number: int, style: Levels, system: StyleSystem, seed: int) -> Pair:
    return Pair(content, number, system.stylise(content, style, seed=seed), with_colours_of(content, style))


def _system(config: StyliseConfig, context: Context) -> StyleSystem:
    """The system that may be released, loaded from the folders that are kept."""
    model, folder = context.folder("model"), context.folder("system")
    save_styler(model, method=config.method, strength=config.strength, steps=config.steps)
    digest = entries_digest(folder_entries(model))
    codec = context.inputs["codec"].digest
    write_manifest(Manifest(backend="style", modality=context.modality, model=digest, codec=codec), folder=folder)
    found: StyleSystem = load_system(folder, locate={digest: model}.__getitem__, device=context.device)
    return found


def _contents(config: StyliseConfig, context: Context) -> list[_Picture]:
    found = _pictures(config.contents, context)
    chosen = np.random.default_rng(context.seed_for("contents")).permutation(len(found))[: config.num_pairs]
    return [found[int(at)] for at in chosen]


def _pictures(source: str, context: Context) -> list[_Picture]:
    """All pictures of a source, whatever their split."""
    found: list[_Picture] = []
    for split in SPLITS:
        rows = read_split(context.inputs["dataset"].path, split=split, columns=("id", "source", "image"))
        found += [_Picture(row["id"], decode_png(row["image"])) for row in rows if row["source"] == source]
    if len(found) < 2:
        raise DataError(
            f"source '{source}' holds {len(found)} pictures; style transfer is measured on at least 2",
            hint="look at data.sources and at dropped.parquet",
        )
    checked(found[0].levels, name=f"a picture of source '{source}'")
    return sorted(found, key=lambda one: one.id)


def _measure(pairs: Sequence[Pair], styles: Sequence[_Picture], config: StyliseConfig, context: Context) -> None:
    trunk = Trunk(*files_of(TRUNK, wanted=(".h5",)))
    with context.progress.task("measure", total=len(pairs)) as task:

        def advance() -> None:
            _stop_if_asked(context)
            task.advance()

        rows = list(
            score_pairs(
                pairs,
                [style.levels for style in styles],
                [style.id for style in styles],
                trunk=trunk,
                choices=config.choices,
                seed=context.seed_for("choices"),
                advance=advance,
            )
        )
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
    write_scores(context.folder("scores"), columns)


def _write_samples(
    pairs: Sequence[Pair], contents: Sequence[_Picture], styles: Sequence[_Picture], context: Context
) -> None:
    """What was drawn, and a sheet of content, style, result and baseline for the first pairs."""
    folder = context.folder("samples")
    modality: Any = modality_component(context.modality).load()()
    columns = {"content": [one.id for one in contents], "style": [styles[pair.style].id for pair in pairs]}
    modality.write(pa.table({"image": pictures_of(pair.drawn for pair in pairs), **columns}), folder)
    sheet = [
        np.broadcast_to(one, (3, *one.shape[1:]))
        for pair in pairs[:SHOWN]
        for one in (pair.content, styles[pair.style].levels, pair.drawn, pair.colours)
    ]
    preview: Path = modality.preview(pa.table({"image": pictures_of(sheet)}), folder / "preview")
    body = {
        "system": entries_digest(folder_entries(context.scratch / "system")),
        "samples": [],
        "preview": preview.name,
    }
    (folder / "samples.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def _stop_if_asked(context: Context) -> None:
    if context.should_stop():
        raise Interrupted("stopped while drawing", hint="run again: this stage starts over")
