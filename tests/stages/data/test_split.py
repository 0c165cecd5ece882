"""Splits by group: whole groups, shares in bytes, chance by seed."""

import pytest

from genwright.core import DataError
from genwright.stages.data.config import SplitConfig
from genwright.stages.data.split import split_groups

SIZES = [(f"group {n}", 100 + 37 * (n % 11)) for n in range(200)]


def share_of(placed, sizes, split):
    return sum(size for group, size in sizes if placed[group] == split) / sum(size for _, size in sizes)


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_met_in_bytes_and_in_documents(seed):
    config = SplitConfig(validation=0.1, test=0.2)
    placed = split_groups(SIZES, config=config, seed=seed)
    assert share_of(placed, SIZES, "test") == pytest.approx(0.2, abs=0.01)
    assert share_of(placed, SIZES, "validation") == pytest.approx(0.1, abs=0.01)
    assert 20 < list(placed.values()).count("test") < 60


def test_depends_on_the_seed_not_on_the_order():
    first = split_groups(SIZES, config=SplitConfig(), seed=1)
    assert split_groups(SIZES[::-1], config=SplitConfig(), seed=1) == first
    assert split_groups(SIZES, config=SplitConfig(), seed=2) != first


def test_a_giant_group_goes_to_train():
    sizes = [("giant", 100_000), *SIZES]
    for seed in range(20):
        placed = split_groups(sizes, config=SplitConfig(), seed=seed)
        assert placed["giant"] == "train" and set(placed.values()) == {"train", "validation", "test"}


@pytest.mark.parametrize("count", [3, 4, 7])
def test_few_groups_still_fill_every_split(count):
    placed = split_groups([(str(n), 10) for n in range(count)], config=SplitConfig(), seed=0)
    assert set(placed.values()) == {"train", "validation", "test"}


def test_too_few_groups():
    with pytest.raises(DataError, match=r"2 group\(s\)") as caught:
        split_groups([("a", 5), ("a", 5), ("b", 5)], config=SplitConfig(), seed=0)
    assert caught.value.exit_code == 2 and caught.value.hint


def test_rows_are_told_what_to_do_as_well():
    with pytest.raises(DataError) as raised:
        split_groups([("one", 1)], config=SplitConfig(), seed=1)
    assert "group_column" in str(raised.value.hint)


def test_documents_of_a_group_count_together():
    sizes = [(f"g{n % 50}", 10) for n in range(500)]
    assert len(split_groups(sizes, config=SplitConfig(), seed=0)) == 50
