"""The sequence of trees: its likelihood sums to one, it learns what a product cannot, and it completes rows."""

import itertools

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Tokens, TokenShape
from genwright.families.cart import Cart
from genwright.families.cart_config import CartConfig
from genwright.families.store import load_family, save_family

from . import coin_toys
from .coin_toys import SHAPE, rows


def fitted(n: int = 800) -> Cart:
    family: Cart = coin_toys.fitted(Cart(CartConfig(), shape=SHAPE), n)
    return family


def test_it_sums_to_one_and_learns_an_exclusive_or() -> None:
    family = fitted()
    every = torch.tensor(list(itertools.product((0, 1), (2, 3), (4, 5), range(6, 23))))
    value = family.log_prob(Tokens(every))
    assert value.kind == "exact" and value.value is not None
    torch.testing.assert_close(value.value.exp().sum(), torch.tensor(1.0, dtype=torch.float64))
    made = family.sample(2000, rng=torch.Generator().manual_seed(2)).ids
    assert ((made[:, 0] ^ (made[:, 1] - 2)) == made[:, 2] - 4).float().mean() > 0.99
    assert (2 * made[:, 0] + made[:, 1] - 2 == (made[:, 3] - 6) // 4).float().mean() > 0.98
    assert abs(made[:, 0].float().mean() - rows(800, 1)[:, 0].float().mean()) < 0.05


def test_likelihoods_are_those_that_rows_are_drawn_with() -> None:
    family = fitted(100)
    made = family.sample(4000, rng=torch.Generator().manual_seed(3)).ids
    row = rows(1, 5)
    value = family.log_prob(Tokens(row[:, :])).value
    assert value is not None
    share = float((made == row).all(1).double().mean())
    assert abs(share - float(value.exp())) < 4 * (share / 4000) ** 0.5 + 1e-3


@pytest.mark.parametrize("place", [0, 2, 3])
def test_given_cells_stay_and_decide_the_others(place: int) -> None:
    coin_toys.assert_completes(fitted(), place)


def test_it_comes_back_from_a_folder_with_the_same_bits(tmp_path) -> None:
    family = fitted()
    save_family(tmp_path, config=family.config, shape=SHAPE, tensors=family.state(), facts={})
    again = load_family(tmp_path)
    drawn = [one.sample(50, rng=torch.Generator().manual_seed(1)).ids for one in (family, again)]
    assert torch.equal(*drawn)


def test_it_takes_no_condition_and_needs_a_fixed_layout() -> None:
    with pytest.raises(CapabilityError, match="condition"):
        fitted(100).sample(2, cond=[[1.0]])
    with pytest.raises(CapabilityError, match="fixed layout"):
        Cart(CartConfig(), shape=TokenShape(6, 4, 5, 8))
