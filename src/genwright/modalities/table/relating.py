"""Finding relations in the train split: numbers that the ranks of one or two other columns tell almost wholly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import pyarrow as pa
from scipy.stats import rankdata  # type: ignore[import-untyped]

from genwright.modalities.table.columns import Floats, Grid, numbers_of
from genwright.modalities.table.relations import OPERATIONS, Relation, Relations, combined

MOST_ROWS = 4_000
MOST_COLUMNS = 32  # those of the most different values
MOST_LEVELS = 64
LEAST_KNOWN = 0.5  # share of the rows in which all columns of a relation are known
RICH = 16  # values that one of those that a target follows from has at least
CLOSE = 0.99  # rank correlation with the target, where ties allow 1
GAIN = 0.25  # of what one column alone leaves open, the most that two may leave
LEVELS_RIGHT = 0.95
COMMON = 0.05  # share of the rows from which on a target's most frequent value is looked at apart
TIGHT = 0.2  # spread of the differences or ratios over that of the target


@dataclass(frozen=True)
class _Try:
    left: int
    operation: str
    right: int
    values: Floats


def find_relations(rows: pa.Table, names: Sequence[str], /) -> Relations:
    """Relations among the columns `names` that hold numbers, none of dates or times.

    Sums, differences, products and quotients of two columns, and one column alone. A target is taken for one where the
    rank correlation is nearly as high as its ties allow; two columns have to leave open at most a quarter of what the
    better one of them alone does. Nothing is sought where there are fewer rows than `RICH` times `RICH`.
    """
    if len(rows) < RICH * RICH:
        return Relations()
    picked = rows.take(pa.array(np.unique(np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64))))
    numeric = [n for n in names if str(rows.column(n).type) in ("int64", "double")]
    values = {name: numbers_of(picked.column(name)) for name in numeric}
    counts = {name: len(np.unique(v[~np.isnan(v)])) for name, v in values.items()}
    kept = sorted((name for name in numeric if counts[name] > 1), key=lambda name: -counts[name])[:MOST_COLUMNS]
    if len(kept) < 2:
        return Relations()
    found: list[Relation] = []
    for target, one in _candidates(kept, values, counts):
        sides = {kept[one.left], kept[one.right]} if one.operation else {kept[one.left]}
        if any(other.target in {target, *sides} or target in (other.left, other.right) for other in found):
            continue
        relation = _relation(target, one, kept, values, counts, rows)
        if relation is not None:
            found.append(relation)
    return Relations(tuple(found))


def _candidates(kept: Sequence[str], values: dict[str, Floats], counts: dict[str, int]) -> list[tuple[str, _Try]]:
    """Targets with what tells their ranks, the richest targets first and of these the closest."""
    columns = np.stack([values[name] for name in kept])
    known = ~np.isnan(columns)
    ranks, most = _ranked(columns), _most(columns)
    single = _close(ranks, known, ranks, known) / most
    np.fill_diagonal(single, 0.0)
    scored: list[tuple[float, str, _Try]] = []
    for one in _tries(columns, [counts[name] for name in kept]):
        told = ~np.isnan(one.values)
        close = _close(_ranked(one.values[None]), told[None], ranks, known)[0] / most
        enough = (told & known).mean(1) >= LEAST_KNOWN
        alone = np.maximum(np.abs(single[one.left]), np.abs(single[one.right]))
        open_alone = (1.0 - alone) if one.operation else np.full(len(kept), np.inf)
        size = close if one.operation else np.abs(close)
        fits = enough & (size >= CLOSE) & (1.0 - size <= GAIN * open_alone)
        scored += [
            (float(size[at]), kept[at], one) for at in np.flatnonzero(fits).tolist() if at not in (one.left, one.right)
        ]
    scored.sort(key=lambda entry: (-counts[entry[1]], -round(entry[0], 6), bool(entry[2].operation)))
    return [(target, one) for _, target, one in scored]


def _tries(columns: Floats, counts: Sequence[int]) -> list[_Try]:
    singles = [_Try(at, "", at, columns[at]) for at in range(len(columns)) if counts[at] >= RICH]
    pairs = [
        _Try(a, operation, b, combined(columns[a], operation, columns[b]))
        for a, b in permutations(range(len(columns)), 2)
        for operation in OPERATIONS
        if max(counts[a], counts[b]) >= RICH and (operation in "-/" or a < b)
    ]
    return singles + pairs


def _ranked(columns: Floats) -> Floats:
    """Ranks of each row of numbers about their middle, with ties; 0 for NaN."""
    out = np.zeros(columns.shape)
    for at, column in enumerate(columns):
        known = ~np.isnan(column)
        if known.any():
            ranks = rankdata(column[known])
            out[at, known] = ranks - ranks.mean()
    return out


def _most(columns: Floats) -> Floats:
    """The highest rank correlation that ties leave possible with something that has none."""
    out = np.ones(len(columns))
    for at, column in enumerate(columns):
        known = column[~np.isnan(column)]
        without = np.arange(len(known)) - (len(known) - 1) / 2
        out[at] = max(rankdata(known).std() / max(without.std(), 1e-9), 1e-9)
    return np.minimum(out, 1.0)


def _close(a: Floats, known_a: np.ndarray, b: Floats, known_b: np.ndarray) -> Floats:
    """(rows of a, rows of b) correlations over what both know."""
    norm = np.sqrt(((a**2) @ known_b.T) * (known_a @ (b**2).T))
    return np.asarray((a @ b.T) / np.maximum(norm, 1e-9))


def _relation(
    target: str,
    one: _Try,
    kept: Sequence[str],
    values: dict[str, Floats],
    counts: dict[str, int],
    rows: pa.Table,
) -> Relation | None:
    """The relation with its numbers; None where it is too loose."""
    goal = values[target]
    both = ~(np.isnan(goal) | np.isnan(one.values))
    y, x = goal[both], one.values[both]
    kind = str(rows.column(target).type)
    plain = Relation(target, kind, kept[one.left], one.operation, kept[one.right] if one.operation else "")
    whole = numbers_of(rows.column(target))
    found = _levels(plain, y, x) if counts[target] <= MOST_LEVELS else _rich(plain, y, x, whole)
    if found is None:
        return None
    alone = np.isnan(found.follows(rows)) & ~np.isnan(whole)
    return replace(found, open=bool(alone.any()))


def _levels(plain: Relation, y: Floats, x: Floats) -> Relation | None:
    """Cuts that put the fewest targets on the wrong side."""
    rising = np.corrcoef(x, y)[0, 1] >= 0
    x = x if rising else -x
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    levels = np.unique(y)
    cuts = []
    for level in levels[:-1]:
        below = y <= level
        wrong = np.concatenate(([0], np.cumsum(~below))) + below.sum() - np.concatenate(([0], np.cumsum(below)))
        at = int(np.argmin(wrong))
        cuts.append(float(x[0] - 1 if at == 0 else x[-1] + 1 if at == len(x) else (x[at - 1] + x[at]) / 2))
    edges = np.maximum.accumulate(cuts)
    right = levels[np.searchsorted(edges, x)] == y
    if min(right.mean(), right[_uncommon(y)].mean()) < LEVELS_RIGHT:
        return None
    return replace(plain, scale=1.0 if rising else -1.0, levels=tuple(levels.tolist()), cuts=tuple(edges.tolist()))


def _rich(plain: Relation, y: Floats, x: Floats, all_targets: Floats) -> Relation | None:
    """The difference to a multiple, or of products and quotients of positive numbers the ratio."""
    known = all_targets[~np.isnan(all_targets)]
    grid = Grid.of(np.unique(known), whole=plain.type == "int64")
    told = replace(plain, grid=grid, low=float(known.min()), high=float(known.max()))
    rest = _uncommon(y)
    y, x = y[rest], x[rest]
    if len(y) < RICH * RICH or abs(np.corrcoef(rankdata(y), rankdata(x))[0, 1]) < CLOSE:
        return None
    if plain.operation in ("*", "/") and (x > 0).all() and (y > 0).all():
        ratios = y / x
        if _spread(np.log(ratios)) > TIGHT * _spread(np.log(y)):
            return None
        places = 6 - int(np.floor(np.log10(np.median(ratios))))
        return replace(told, ratio=True, decimals=min(max(places, 0), 12))
    scale = float(np.polyfit(x, y, 1)[0])
    if _spread(y - x) <= 1.2 * _spread(y - scale * x):
        scale = 1.0
    if _spread(y - scale * x) > TIGHT * _spread(y):
        return None
    decimals = (grid.decimals if grid.decimals is not None else 6) + 1
    return replace(told, scale=scale, decimals=decimals)


def _uncommon(y: Floats) -> np.ndarray:
    """Rows whose target is not its most frequent value, where that is common (no days, no costs); else all.

    What is true of that value has to be true of the others too.
    """
    values, counts = np.unique(y, return_counts=True)
    return y != values[counts.argmax()] if counts.max() > COMMON * len(y) else np.ones(len(y), dtype=np.bool_)


def _spread(numbers: Floats) -> float:
    """Between the 5th and the 95th percentile."""
    low, high = np.quantile(numbers, (0.05, 0.95))
    return float(high - low)
