"""Arrays beside a scores table: what is written is read back to the bit, what does not fit is refused."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from genwright.core import DataError, Derivation
from genwright.measure import derive, read_arrays, read_scores, write_scores

FEATURES = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
TABLE = {"id": list("abcdef"), "side": [0, 0, 0, 1, 1, None]}
FILE = "arrays/features.npy"


def test_round_trip_is_exact_in_any_memory_order(tmp_path: Path) -> None:
    write_scores(tmp_path / "a", TABLE, arrays={"features": FEATURES})
    write_scores(tmp_path / "b", TABLE, arrays={"features": np.asfortranarray(FEATURES)})
    assert (tmp_path / "a" / FILE).read_bytes() == (tmp_path / "b" / FILE).read_bytes()
    back = read_arrays(tmp_path / "a", "features")
    assert back.dtype == np.float32 and (back == FEATURES).all()
    assert read_scores(tmp_path / "a") == TABLE


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("features", FEATURES[:5], "5 rows, but the scores table beside it has 6"),
        ("features", FEATURES.astype(np.float64), "float64 of shape"),
        ("features", FEATURES[:, 0], "must be float32 of shape"),
        ("features", np.where(FEATURES[2, 1] == FEATURES, np.nan, FEATURES), "row 2 holds a number that is not finite"),
        ("../features", FEATURES, "use lower-case letters"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, name: str, array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        write_scores(tmp_path, TABLE, arrays={name: array})


def test_files_that_are_no_arrays_are_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    write_scores(tmp_path, TABLE, arrays={"features": FEATURES})
    with pytest.raises(DataError, match=r"no array 'pixels'.*there: features"):
        read_arrays(tmp_path, "pixels")
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:-1])
    with pytest.raises(DataError, match="cannot be read"):
        read_arrays(tmp_path, "features")
    np.save(tmp_path / FILE, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        read_arrays(tmp_path, "features")
    np.savez((tmp_path / FILE).open("wb"), FEATURES)
    with pytest.raises(DataError, match="must be float32"):
        read_arrays(tmp_path, "features")


def test_rows_of_the_array_go_with_the_rows_of_the_table(tmp_path: Path) -> None:
    write_scores(tmp_path, TABLE, arrays={"features": FEATURES, "other": FEATURES[::-1]})
    arrays = partial(read_arrays, tmp_path)
    found = derive(read_scores(tmp_path), derivation=Derivation("frechet", {"side": "side"}), arrays=arrays)
    changed = FEATURES.copy()
    changed[5] = 100  # its row has no side
    assert found.n == 5
    assert found == derive(TABLE, derivation=Derivation("frechet", {"side": "side"}), arrays=lambda name: changed)
    other = Derivation("frechet", {"side": "side", "features": "other"})
    assert derive(TABLE, derivation=other, arrays=arrays).value != found.value


def test_missing_or_short_arrays_are_named() -> None:
    derivation = Derivation("kid", {"side": "side"})
    with pytest.raises(DataError, match="needs the array 'features', but no arrays"):
        derive(TABLE, derivation=derivation)
    with pytest.raises(DataError, match="no array 'features' lies beside"):
        derive(TABLE, derivation=derivation, arrays={}.__getitem__)
    with pytest.raises(DataError, match="has 5 rows, but the scores table beside it has 6"):
        derive(TABLE, derivation=derivation, arrays=lambda name: FEATURES[:5])
