"""How good pictures are: all candidates against held-out ones, by features, pixels and detail, in one scores table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.core.protocols import Candidate, Measured
from genwright.measure.c2st import classifier_scores
from genwright.measure.coverage import neighbourhoods
from genwright.modalities.image.agreement import Captions, classes_told
from genwright.modalities.image.claims import drafts_for
from genwright.modalities.image.config import ImageMetricsConfig
from genwright.modalities.image.distances import nearest_pictures
from genwright.modalities.image.pixels import Levels, pixels_of, size_name
from genwright.modalities.image.small_net import FeatureNet, train_net
from genwright.modalities.image.spectrum import log_power
from genwright.modalities.image.two_samples import told_apart

if TYPE_CHECKING:
    from genwright.modalities.image.mobilenet import MobileNet

NEIGHBOURS = 5
Nets = tuple["FeatureNet | MobileNet", FeatureNet]
REAL = "held-out"


@dataclass
class _Set:
    """One set of pictures: what the net says of them, and a scores row for each."""

    name: str
    values: Levels
    features: NDArray[np.float32]
    told: NDArray[np.float32]
    rows: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.values)

    def put(self, name: str, cells: Sequence[Any]) -> None:
        """A column of the first so many rows."""
        for row, cell in zip(self.rows, cells, strict=False):
            row[name] = cell


def measure(
    candidates: Sequence[Candidate], *, train: pa.Table, test: pa.Table, config: ImageMetricsConfig, seed: int
) -> Measured:
    """Distances of features, neighbourhoods, two-sample tests, detail, nearness to train, and whether asked is shown.

    All sets are cut to `max_rows`. Where held-out pictures share a group, intervals resample groups.

    Raises:
        DataError: a candidate's pictures have another size than the held-out ones.
    """
    known = pixels_of(train)
    nets = _nets(train, known, config)
    net = nets[1]
    real = _set(REAL, test, nets, config)
    grouped = len(set(_groups(test, len(real)))) < len(real)
    real.put("group", _groups(test, len(real)))
    captions = _captions(net, real, test, config, seed)
    sets = [_set(candidate.name, candidate.rows, nets, config) for candidate in candidates]
    floor = next((one for one in sets if one.name == "floor"), None)
    made: set[str] = set()
    for candidate, one in zip(candidates, sets, strict=True):
        if one.values.shape[1:] != real.values.shape[1:]:
            raise DataError(
                f"{size_name(one.values.shape[1:])} cannot be compared with {size_name(real.values.shape[1:])}"
            )
        one.put("group", [f"{one.name} {at}" for at in range(len(one))])
        _sides(one, real, floor)
        _neighbours(one, real)
        _two_samples(one, real, config, seed)
        one.put("to_train", nearest_pictures(one.values, known)[0].tolist())
        one.put("to_held_out", nearest_pictures(one.values, real.values)[0].tolist())
        _agreement(one, candidate.rows, net, captions, config)
        made |= {f"{one.name} {name}" for row in one.rows for name, cell in row.items() if cell is not None}
    return _measured(candidates, [real, *sets], made, nets=nets, grouped=grouped, config=config)


def _nets(train: pa.Table, known: Levels, config: ImageMetricsConfig) -> Nets:
    """Whose features are compared, and who tells what is shown; the same one but where another is asked for."""
    small = train_net(train, config)
    if config.net == "small-net":
        return small, small
    from genwright.modalities.image.mobilenet import MobileNet

    assert config.net_weights, "checked with the settings"
    return MobileNet(config.net_weights, reference=known[: config.max_rows]), small


def _set(name: str, rows: pa.Table, nets: Nets, config: ImageMetricsConfig) -> _Set:
    values = pixels_of(rows.slice(0, config.max_rows))
    eye, teller = nets
    features, told = teller.outputs(values)
    if eye is not teller:
        features = eye.features(values)
    return _Set(name, values, features, told, [{"set": name} for _ in range(len(values))])


def _groups(test: pa.Table, count: int) -> list[str]:
    return [str(one) for one in test.column("group").to_pylist()[:count]]


def _captions(net: FeatureNet, real: _Set, test: pa.Table, config: ImageMetricsConfig, seed: int) -> Captions | None:
    if net.task.kind != "words" or config.caption not in test.column_names:
        return None
    pool = [str(one) for one in test.column(config.caption).to_pylist() if one is not None]
    found = Captions(net.task, real=real.told, pool=pool, choices=config.choices, seed=seed)
    return found if found.able else None


def _sides(one: _Set, real: _Set, floor: _Set | None) -> None:
    """Who is compared with whom: 1 for held-out pictures, 0 for the candidate, 2 for the floor."""
    for name in (f"side_{one.name}", f"ratio_{one.name}"):
        real.put(name, [1] * len(real))
        one.put(name, [0] * len(one))
    if floor is not None and floor is not one:
        floor.put(f"ratio_{one.name}", [2] * len(floor))


def _neighbours(one: _Set, real: _Set) -> None:
    """Precision and density of each picture, recall and coverage of each held-out one, at equal numbers."""
    n = min(len(one), len(real))
    if n <= NEIGHBOURS:
        return
    found = neighbourhoods(real.features[:n], one.features[:n], k=NEIGHBOURS)
    one.put("precision", found.precision)
    one.put("density", found.density)
    real.put(f"recall_{one.name}", found.recall)
    real.put(f"coverage_{one.name}", found.coverage)


def _two_samples(one: _Set, real: _Set, config: ImageMetricsConfig, seed: int) -> None:
    """Out-of-fold scores that a picture is made; pictures that are the same stay in one fold."""
    n = min(len(one), len(real))
    twins = _twins(np.concatenate((one.values[:n], real.values[:n])))
    different = min(len(set(twins[:n])), len(set(twins[n:]))) if n else 0
    if different < 2 * config.folds:
        return
    scores = classifier_scores(
        one.features[:n].astype(np.float64),
        real.features[:n].astype(np.float64),
        seed=seed,
        folds=config.folds,
        groups=twins,
    )
    held_out = np.random.default_rng(seed).integers(2, size=len(set(twins)))[np.array(twins)]
    folds = [np.flatnonzero(held_out == number) for number in (0, 1)]
    pixels = told_apart(one.values[:n], real.values[:n], folds=folds, seed=seed)
    for name, found in (("features", scores), ("pixels", pixels)):
        one.put(f"c2st_{name}_{one.name}", found[:n].tolist())
        real.put(f"c2st_{name}_{one.name}", found[n:].tolist())
    one.put(f"made_{one.name}", [1] * n)
    real.put(f"made_{one.name}", [0] * n)


def _twins(values: Levels) -> list[int]:
    numbers: dict[bytes, int] = {}
    return [numbers.setdefault(one.tobytes(), len(numbers)) for one in values]


def _agreement(
    one: _Set, rows: pa.Table, net: FeatureNet, captions: Captions | None, config: ImageMetricsConfig
) -> None:
    if net.task.kind == "classes":
        told = classes_told(one.told, net.task)
        one.put("class", told)
        one.put("first_of_class", [int(name not in told[:at]) for at, name in enumerate(told)])
        if config.label in rows.column_names:
            asked = rows.column(config.label).to_pylist()
            agree = [None if want is None else int(str(want) == got) for want, got in zip(asked, told, strict=False)]
            one.put("as_asked", agree)
    elif captions is not None and config.caption in rows.column_names:
        asked = rows.column(config.caption).to_pylist()[: len(one)]
        one.put("caption_found", captions.hits(one.told, asked))


def _measured(
    candidates: Sequence[Candidate],
    sets: Sequence[_Set],
    made: set[str],
    *,
    nets: Nets,
    grouped: bool,
    config: ImageMetricsConfig,
) -> Measured:
    rows = [row for one in sets for row in one.rows]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: Mapping[str, list[Any]] = {name: [row.get(name) for row in rows] for name in names}
    arrays = {
        "features": np.concatenate([one.features for one in sets]),
        "spectrum": np.concatenate([log_power(one.values) for one in sets]),
    }
    eye, teller = (f"{one.name} {one.digest[:12]}" for one in nets)
    drafts = [
        draft
        for candidate in candidates
        for draft in drafts_for(candidate, made, eye, teller=teller, grouped=grouped, resamples=config.resamples)
    ]
    return Measured(columns, drafts, arrays)
