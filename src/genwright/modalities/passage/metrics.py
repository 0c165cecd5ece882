"""How good generated passages are, and how much of them is copied; every candidate in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from genwright.core import ClaimDraft, Derivation
from genwright.core.protocols import Candidate, Measured
from genwright.detect.overlap import Corpus
from genwright.measure.c2st import classifier_scores
from genwright.modalities.passage.config import PassageMetricsConfig
from genwright.modalities.passage.features import features_of

Row = dict[str, Any]
COLUMNS = ("table", "candidate", "side", "value", "label", "score", "group")
COPIED_WORDS = 8


def measure(
    candidates: Sequence[Candidate], *, train: pa.Table, test: pa.Table, config: PassageMetricsConfig, seed: int
) -> Measured:
    """Distance of the pairs of characters, two-sample test, different 4-grams of words, and what is copied of train."""
    corpus = Corpus(_texts(train))
    real, groups = _texts(test)[: config.max_rows], test.column("group").to_pylist()[: config.max_rows]
    rows: list[Row] = []
    drafts: list[ClaimDraft] = []
    for candidate in candidates:
        made = _texts(candidate.rows)[: config.max_rows]
        rng = np.random.default_rng(seed)
        found = _pairs(made, 0, config.pairs, rng) + _pairs(real, 1, config.pairs, rng)
        found += _two_samples(made, candidate.groups, real, groups, folds=config.folds, seed=seed)
        found += _fourgrams(made) + _copied(made, corpus)
        rows += [{"candidate": candidate.name, **row} for row in found]
        drafts += _drafts(candidate, found)
    return Measured({name: [row.get(name) for row in rows] for name in COLUMNS}, drafts)


def _texts(rows: pa.Table) -> list[str]:
    return [text or "" for text in rows.column("text").to_pylist()]


def _pairs(texts: Sequence[str], side: int, most: int, rng: np.random.Generator) -> list[Row]:
    """Pairs of neighbouring characters at random places."""
    joined = [text[at : at + 2] for text in texts for at in range(len(text) - 1)]
    chosen = rng.permutation(len(joined))[:most].tolist()
    return [{"table": "pairs", "side": side, "value": joined[at]} for at in chosen]


def _two_samples(
    made: Sequence[str], own: Sequence[str] | None, real: Sequence[str], groups: Sequence[str], *, folds: int, seed: int
) -> list[Row]:
    """Out-of-fold scores of boosted trees over hashed pieces; passages of one group stay in one fold."""
    n = min(len(made), len(real))
    names = [f"made {at if own is None else own[at]}" for at in range(n)] + list(groups[:n])
    if min(len(set(names[:n])), len(set(names[n:]))) < folds:
        return []
    scores = classifier_scores(features_of(made[:n]), features_of(real[:n]), seed=seed, folds=folds, groups=names)
    return [
        {"table": "c2st", "label": int(at < n), "score": score, "group": names[at]}
        for at, score in enumerate(scores.tolist())
    ]


def _fourgrams(texts: Sequence[str]) -> list[Row]:
    """Whether each run of four words was not there before."""
    seen: set[tuple[str, ...]] = set()
    out: list[Row] = []
    for text in texts:
        words = text.split()
        for run in zip(words, words[1:], words[2:], words[3:], strict=False):
            out.append({"table": "fourgram", "value": int(run not in seen)})
            seen.add(run)
    return out


def _copied(texts: Sequence[str], corpus: Corpus) -> list[Row]:
    """The share of each passage's runs of 8 words that stand in the train split, and its longest copied span."""
    out: list[Row] = []
    for text in texts:
        share = corpus.copied_share(text, num_words=COPIED_WORDS)
        out += [] if share is None else [{"table": "copied", "value": share}]
        out.append({"table": "span", "value": corpus.longest_copy(text)})
    return out


def _drafts(candidate: Candidate, found: Sequence[Row]) -> list[ClaimDraft]:
    boot: dict[str, Any] = {"interval": "bootstrap"}
    value = {"value": "value"}
    auc = Derivation("auc", {"score": "score", "label": "label"}, cluster="group", **boot)
    pairs = Derivation("jensen_shannon", {"value": "value", "side": "side"}, interval="none")
    drafts = [
        _draft(candidate, "character_pair_distance", "pairs", pairs, unit="nats", better="lower"),
        _draft(candidate, "c2st_auc", "c2st", auc, better="lower"),
        _draft(candidate, "distinct_4gram_share", "fourgram", Derivation("mean", value), better="higher"),
        _draft(candidate, "copied_8gram_share", "copied", Derivation("mean", value, **boot), better="lower"),
        _draft(candidate, "longest_copied_span", "span", Derivation("max", value), unit="characters", better="lower"),
    ]
    present = {row["table"] for row in found}
    return [draft for draft in drafts if draft.derivation.where["table"] in present]


def _draft(
    candidate: Candidate, metric: str, table: str, derivation: Derivation, *, better: Any, unit: str = "1"
) -> ClaimDraft:
    where = {"table": table, "candidate": candidate.name}
    chosen = replace(derivation, where=where)
    return ClaimDraft("system", metric, unit, "scores", chosen, label=candidate.label, data="dataset", better=better)
