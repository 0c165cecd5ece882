"""How good made music is: rules of counterpoint, histograms, a two-sample test, and what is copied from train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from genwright.core import ClaimDraft, Derivation
from genwright.core.protocols import Candidate, Measured
from genwright.core.rng import derive_seed
from genwright.measure import classifier_scores
from genwright.modalities.music.config import MusicMetricsConfig
from genwright.modalities.music.counterpoint import crossings, parallels
from genwright.modalities.music.features import HISTOGRAMS, features_of, note_values
from genwright.modalities.music.overlap import SharedRuns
from genwright.modalities.music.sounding import Sounding, grid_of, is_tunes, sounding

Row = dict[str, Any]
COLUMNS = (
    "table", "candidate", "sample", "group", "amount", "fifths", "octaves", "crossed", "per", "value", "side", "score",
    "label",
)  # fmt: skip
CENTRAL = (0.5, 99.5)  # percentiles of train between which a note lies in its voice's usual range


def measure(
    candidates: Sequence[Candidate], *, train: pa.Table, test: pa.Table, config: MusicMetricsConfig, seed: int
) -> Measured:
    """Every candidate beside held-out music; counterpoint of windows only.

    Parallels and crossings are counted per 100 steps, notes outside the central 99 % of train's notes of a voice per
    100 notes. Histogram distances are Jensen-Shannon divergences of pitch classes, intervals and lengths.
    `copied_share` is the share of samples that share with train a run of `overlap_notes` notes of one voice in any key.
    """
    known, real = sounding(train), sounding(test)
    runs, usual = SharedRuns(known), _usual(known)
    rows: list[Row] = []
    drafts: list[ClaimDraft] = []
    for candidate in candidates:
        made = sounding(candidate.rows)
        found = [*_overlaps(made, candidate, runs, config), *_breaches(made, candidate, usual)]
        if not is_tunes(candidate.rows):
            found += _counterpoint(candidate)
        found += _histograms(made, real, candidate, config, seed)
        found += _two_samples(made, real, candidate, test, config, seed)
        rows += found
        present = {one["table"] for one in found}
        drafts += [draft for draft in _drafts(candidate, config) if draft.derivation.where["table"] in present]
    return Measured({name: [one.get(name) for one in rows] for name in COLUMNS}, drafts)


def _row(table: str, candidate: Candidate, **cells: Any) -> Row:
    return {"table": table, "candidate": candidate.name, **cells}


def _usual(samples: Sequence[Sounding]) -> dict[str, tuple[float, float]]:
    """Between which pitches the notes of each voice mostly lie."""
    pitches: dict[str, list[int]] = {}
    for sample in samples:
        for name, notes in sample.items():
            pitches.setdefault(name, []).extend(note.pitch for note in notes)
    found = {}
    for name, values in pitches.items():
        low, high = np.percentile(values, CENTRAL) if values else (0.0, 127.0)
        found[name] = (float(low), float(high))
    return found


def _overlaps(
    made: Sequence[Sounding], candidate: Candidate, runs: SharedRuns, config: MusicMetricsConfig
) -> Iterator[Row]:
    for number, sample in enumerate(made):
        longest = runs.longest(sample)
        yield _row("overlap", candidate, sample=number, amount=longest, value=int(longest >= config.overlap_notes))


def _breaches(made: Sequence[Sounding], candidate: Candidate, usual: dict[str, tuple[float, float]]) -> Iterator[Row]:
    for number, sample in enumerate(made):
        outside = [
            not usual[name][0] <= note.pitch <= usual[name][1] for name, notes in sample.items() for note in notes
        ]
        if outside:
            yield _row("range", candidate, sample=number, amount=100 * sum(outside), per=len(outside))


def _counterpoint(candidate: Candidate) -> Iterator[Row]:
    steps, kept = grid_of(candidate.rows)
    if not kept:
        return
    fifths, octaves = parallels(steps)
    counts = zip(kept, fifths.tolist(), octaves.tolist(), crossings(steps).tolist(), strict=True)
    for number, fifth, octave, crossed in counts:
        cells = {"amount": 100 * (fifth + octave), "fifths": 100 * fifth, "octaves": 100 * octave}
        cells |= {"crossed": 100 * crossed, "per": steps.shape[2]}
        yield _row("counterpoint", candidate, sample=number, **cells)


def _histograms(
    made: Sequence[Sounding], real: Sequence[Sounding], candidate: Candidate, config: MusicMetricsConfig, seed: int
) -> Iterator[Row]:
    """Notes of both sides, as many of each sample; samples of a side count alike, however many notes they have."""
    for name in HISTOGRAMS:
        rng = np.random.default_rng(derive_seed(seed, f"{name} of {candidate.name}"))
        for side, samples in enumerate((made, real)):
            for number, sample in enumerate(samples):
                values = note_values(sample, name)
                for value in rng.choice(values, config.notes_per_sample).tolist() if values else ():
                    yield _row(name, candidate, sample=number, group=f"{side} {number}", value=value, side=side)


def _two_samples(
    made: Sequence[Sounding],
    real: Sequence[Sounding],
    candidate: Candidate,
    test: pa.Table,
    config: MusicMetricsConfig,
    seed: int,
) -> Iterator[Row]:
    """Out-of-fold scores of boosted trees over `features_of`; the windows of one piece stay in one fold."""
    n = min(len(made), len(real))
    if n < config.folds:
        return
    features = [
        features_of(candidate.rows.slice(0, n), made[:n]),
        features_of(test.slice(0, n), real[:n]),
    ]
    pieces = _pieces(candidate.rows, n) + _pieces(test, n)
    enough = min(len(set(pieces[:n])), len(set(pieces[n:]))) >= 2 * config.folds
    groups = pieces if enough else None
    scores = classifier_scores(features[0], features[1], seed=seed, folds=config.folds, groups=groups)
    for number, score in enumerate(scores.tolist()):
        yield _row("c2st", candidate, label=int(number < n), score=score, group=pieces[number])


def _pieces(rows: pa.Table, n: int) -> list[str]:
    """Of which piece each of the first samples is: real ones have a title, of others equal ones count as one piece."""
    if "title" in rows.column_names:
        return [str(title) for title in rows.column("title").to_pylist()[:n]]
    return [repr(sample) for sample in sounding(rows.slice(0, n))]


def _drafts(candidate: Candidate, config: MusicMetricsConfig) -> list[ClaimDraft]:
    """The claims of one candidate."""
    boot: dict[str, Any] = {"interval": "bootstrap"}

    def rate(amount: str) -> Derivation:
        return Derivation("ratio", {"numerator": amount, "denominator": "per"}, **boot)

    share = Derivation("proportion", {"value": "value"}, interval="wilson")
    auc = Derivation("auc", {"score": "score", "label": "label"}, cluster="group", **boot)
    distance = Derivation("jensen_shannon", {"value": "value", "side": "side"}, cluster="group", **boot)
    return [
        _draft(candidate, "parallel_rate", "per 100 steps", "counterpoint", rate("amount")),
        _draft(candidate, "parallel_fifth_rate", "per 100 steps", "counterpoint", rate("fifths")),
        _draft(candidate, "parallel_octave_rate", "per 100 steps", "counterpoint", rate("octaves")),
        _draft(candidate, "crossing_rate", "per 100 steps", "counterpoint", rate("crossed")),
        _draft(candidate, "out_of_range_rate", "per 100 notes", "range", rate("amount")),
        _draft(candidate, "c2st_auc", "AUC", "c2st", auc),
        *(_draft(candidate, f"{name}_distance", "nats", name, distance) for name in HISTOGRAMS),
        _draft(candidate, "copied_share", f"share of samples with {config.overlap_notes} notes", "overlap", share),
        _draft(candidate, "longest_copied", "notes", "overlap", Derivation("mean", {"value": "amount"}, **boot)),
        _draft(candidate, "longest_copied_of_all", "notes", "overlap", Derivation("max", {"value": "amount"})),
    ]


def _draft(candidate: Candidate, metric: str, unit: str, table: str, derivation: Derivation) -> ClaimDraft:
    chosen = replace(derivation, where={"table": table, "candidate": candidate.name})
    return ClaimDraft("system", metric, unit, "scores", chosen, label=candidate.label, data="dataset", better="lower")
