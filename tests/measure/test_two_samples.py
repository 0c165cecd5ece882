"""Two sets of rows: classifier scores, neighbourhoods, nearest rows."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from genwright.core import DataError
from genwright.measure import classifier_scores, nearest_rows, neighbourhoods

RNG = np.random.default_rng(2)


def _auc(a: np.ndarray, b: np.ndarray, **more: object) -> float:
    scores = classifier_scores(a, b, seed=0, **more)  # type: ignore[arg-type]
    return float(roc_auc_score([1] * len(a) + [0] * len(b), scores))


def test_classifier_tells_apart_what_differs_and_only_that() -> None:
    a, same, moved = RNG.normal(size=(200, 3)), RNG.normal(size=(200, 3)), 1.5 + RNG.normal(size=(200, 3))
    assert 0.4 < _auc(a, same) < 0.6
    assert _auc(a, moved) > 0.9
    assert (classifier_scores(a, same, seed=3) == classifier_scores(a, same, seed=3)).all()


def test_categories_have_no_order_and_may_be_many_or_missing() -> None:
    codes = np.arange(2000)[:, None] % 400.0
    odd = codes[:, 0] % 2 == 1
    codes[::50] = np.nan
    a, b = codes[odd], codes[~odd]
    assert _auc(a % 16, b % 16, categorical=[0]) > 0.98
    assert np.isfinite(classifier_scores(a, b, seed=0, categorical=[0])).all()


def test_a_column_without_a_value_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(60, 2)), 1.5 + rng.normal(size=(60, 2))
    empty = np.full((60, 1), np.nan)
    assert _auc(np.hstack((a, empty)), np.hstack((b, empty))) == _auc(a, b)


def test_copies_in_one_fold_are_not_recognised() -> None:
    a, b = RNG.normal(size=(60, 4)), RNG.normal(size=(60, 4))
    tripled = [np.repeat(side, 3, axis=0) for side in (a, b)]
    groups = [f"{side}{row // 3}" for side in "ab" for row in range(180)]
    assert _auc(*tripled) > 0.8
    assert 0.3 < _auc(*tripled, groups=groups) < 0.7


def test_too_few_rows_or_groups_are_refused() -> None:
    a = RNG.normal(size=(30, 2))
    with pytest.raises(DataError, match="4 independent rows of b cannot be split into 5 folds"):
        classifier_scores(a, a[:4], seed=0)
    with pytest.raises(DataError, match="1 independent rows of a"):
        classifier_scores(a, a, seed=0, groups=["g"] * 30 + list(range(30)))
    with pytest.raises(DataError, match="one width"):
        classifier_scores(a, a[:, :1], seed=0)


def test_neighbourhoods_equal_their_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genwright.measure.coverage.BLOCK", 200)
    real, made = RNG.normal(size=(60, 3)), 0.7 * RNG.normal(size=(50, 3)) + 0.5
    found = neighbourhoods(real, made, k=4)

    def reach(rows: np.ndarray) -> np.ndarray:
        return NearestNeighbors(n_neighbors=5).fit(rows).kneighbors(rows)[0][:, 4]

    away = np.linalg.norm(made[:, None] - real[None], axis=2)
    in_real, in_made = away <= reach(real), away <= reach(made)[:, None]
    assert found.precision == in_real.any(axis=1).astype(int).tolist()
    assert found.density == pytest.approx(in_real.sum(axis=1) / 4)
    assert found.recall == in_made.any(axis=0).astype(int).tolist()
    assert found.coverage == in_real.any(axis=0).astype(int).tolist()
    assert 0 < sum(found.precision) < 50 and 0 < sum(found.recall) < 60 and 0 < sum(found.coverage) < 60


def test_neighbourhoods_of_a_set_with_itself_and_of_one_mode() -> None:
    real = np.concatenate([RNG.normal(size=(40, 2)), 100 + RNG.normal(size=(40, 2))])
    same, one = neighbourhoods(real, real.copy()), neighbourhoods(real, real[:40] + 0.01)
    assert min(same.precision) == min(same.recall) == min(same.coverage) == 1
    assert np.mean(one.precision) > 0.9 and np.mean(one.coverage) == pytest.approx(0.5, abs=0.05)
    with pytest.raises(DataError, match="more than 5 rows"):
        neighbourhoods(real, real[:5])


def test_nearest_equals_a_tree_and_a_copy_lies_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genwright.measure.nearest.BLOCK", 1000)
    reference = 1e4 + RNG.normal(size=(150, 6))
    rows = np.concatenate([1e4 + RNG.normal(size=(70, 6)), reference[[5, 149]]])
    away, number = nearest_rows(rows, reference)
    expected, places = cKDTree(reference).query(rows)
    assert away == pytest.approx(expected, rel=1e-9) and (number == places).all()
    assert away[-2:].tolist() == [0.0, 0.0] and number[-2:].tolist() == [5, 149]
    assert [len(part) for part in nearest_rows(rows[:0], reference)] == [0, 0]
    with pytest.raises(DataError, match="a reference"):
        nearest_rows(rows, reference[:0])
