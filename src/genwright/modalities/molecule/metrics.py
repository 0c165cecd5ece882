"""Samples against held-out molecules: one table with a row per molecule, features of ChemNet beside it, and claims.

Only legal molecules are compared; how many those are is a claim of its own. `side_X` is 1 for held-out molecules and 0
for as many of candidate X, `c2st_X` scores and `made_X` labels the same; `fcd_X` is a side with more held-out
molecules; `member_X` is 1 for train and 0 for held-out molecules, which `near_X` scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.core.protocols import Candidate, Measured
from genwright.modalities.molecule.chemistry import most_similar, scaffold
from genwright.modalities.molecule.config import MoleculeMetricsConfig
from genwright.modalities.molecule.drafts import COMPARED, drafts_of
from genwright.modalities.molecule.likeness import apart, fragments, passes_filters, two_samples
from genwright.modalities.molecule.properties import properties_of
from genwright.modalities.molecule.sides import Side, side_of, sides_of

Row = dict[str, Any]


def measure(
    candidates: Sequence[Candidate], *, train: pa.Table, test: pa.Table, config: MoleculeMetricsConfig, seed: int
) -> Measured:
    """Every candidate's rows and claims; a metric for which a candidate has too few molecules claims no value.

    Raises:
        DataError: the weights of ChemNet cannot be had; the column that samples were asked for is not there.
    """
    most = max(len(candidate.rows) for candidate in candidates)
    check_asked(test, config)
    asked: list[float | None] = test.column(config.asked).to_pylist() if config.asked else []
    made = sides_of(candidates)
    far = side_of("test", "", test.slice(0, max(most, config.reference_rows if config.fcd == "on" else 0)))
    real, known = far.first(most), _drawn(train, most, seed)
    far_rows, known_rows = _rows(far), _rows(known)
    _describe(real, far_rows)
    found = [*far_rows, *known_rows]
    for side in made:
        rows = _rows(side)
        _describe(side, rows)
        _compare(side, rows, real, far_rows, config, seed)
        _attack(side, [(1, known, known_rows), (0, real, far_rows)])
        for row, place in zip(rows, side.places, strict=True):
            row["asked"] = asked[place] if place < len(asked) else None
            row["obtained"] = row[config.asked] if config.asked else None
        found += rows
    pieces = [row for side in (real, *made) for row in _pieces(side, made, config)]
    arrays = {} if config.fcd == "off" else {"features": _features([far, known, *made], len(pieces), config)}
    rows = [*found, *pieces]
    names = list(dict.fromkeys(name for row in rows for name in row))
    drafts = [draft for side in made for draft in drafts_of(side, config, names)]
    return Measured({name: [row.get(name) for row in rows] for name in names}, drafts, arrays)


def _rows(side: Side) -> list[Row]:
    return [{"table": "molecule", "candidate": side.name, "smiles": text} for text in side.smiles]


def check_asked(rows: pa.Table, config: MoleculeMetricsConfig, /) -> None:
    """Passes where the numbers that samples are asked for, those of the held-out molecules, are there.

    Raises:
        DataError: the dataset has no such column.
    """
    if config.asked is not None and config.asked not in rows.column_names:
        raise DataError(
            f"evaluate.metrics.asked is '{config.asked}', and the dataset has no such column",
            hint=f"add '{config.asked}' to data.sources properties",
        )


def _drawn(train: pa.Table, count: int, seed: int) -> Side:
    chosen = np.random.default_rng(seed).permutation(len(train))[:count]
    return side_of("train", "", train.take(pa.array(chosen)))


def _describe(side: Side, rows: list[Row]) -> None:
    """Properties and scaffold of each molecule."""
    numbers = properties_of(COMPARED, side.mols)
    for at, (mol, row) in enumerate(zip(side.mols, rows, strict=False)):
        row.update({name: float(values[at]) for name, values in numbers.items()}, scaffold=scaffold(mol))


def _compare(
    side: Side, rows: list[Row], real: Side, real_rows: list[Row], config: MoleculeMetricsConfig, seed: int
) -> None:
    """Columns of the candidate's molecules, and of equally many held-out ones."""
    n = min(len(side), len(real))
    similar, _ = most_similar(side.bits, real.bits) if len(real) else (np.zeros(len(side)), None)
    columns = zip(rows, similar.tolist(), apart(side), passes_filters(side.mols), strict=True)
    for row, one, distance, passes in columns:
        row.update(similarity=one, apart=distance, passes=passes)
    scores = two_samples(side.first(n), real.first(n), folds=config.folds, seed=seed)
    for label, part in ((1, rows[:n]), (0, real_rows[:n])):
        for at, row in enumerate(part):
            score = None if scores is None else float(scores[at if label else n + at])
            row.update({f"side_{side.name}": 1 - label, f"made_{side.name}": label, f"c2st_{side.name}": score})
    for value, part in ((0, rows), (1, real_rows)):
        for row in part:
            row[f"fcd_{side.name}"] = value


def _attack(side: Side, parts: Sequence[tuple[int, Side, list[Row]]]) -> None:
    """How near the candidate comes to train molecules (members) and to held-out ones."""
    for label, molecules, rows in parts:
        near = most_similar(molecules.bits, side.bits)[0] if len(side) else np.zeros(len(molecules))
        for row, score in zip(rows, near.tolist(), strict=False):
            row.update({f"member_{side.name}": label, f"near_{side.name}": score})


def _pieces(side: Side, made: Sequence[Side], config: MoleculeMetricsConfig) -> list[Row]:
    """A row per fragment of the side's first molecules; those of held-out ones serve every candidate."""
    sides = {f"side_{one.name}": 1 for one in made} if side.name == "test" else {f"side_{side.name}": 0}
    facts = {"table": "fragment", "candidate": side.name, **sides}
    return [
        {**facts, "fragment": piece, "molecule": f"{side.name} {at}"}
        for at, mol in enumerate(side.first(config.fragment_rows).mols)
        for piece in fragments(mol)
    ]


def _features(sides: Sequence[Side], blank: int, config: MoleculeMetricsConfig) -> NDArray[np.float32]:
    """Features of all molecules but the train ones, and zeros for what is no molecule."""
    from genwright.modalities.molecule.chemnet import FEATURES, features, load_chemnet  # torch, which few need

    net = load_chemnet(config.chemnet, sha256=config.chemnet_sha256)
    skipped = ("train",)
    parts = [
        np.zeros((len(side), FEATURES), dtype=np.float32) if side.name in skipped else features(side.smiles, net)
        for side in sides
    ]
    return np.concatenate((*parts, np.zeros((blank, FEATURES), dtype=np.float32)))
