"""Masked diffusion by trees: it learns a joint, completes any cells in any steps, and bounds the likelihood."""

import itertools

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Fitted, Tokens, TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.store import build_family, load_family, save_family
from genwright.families.unmasking_trees import UnmaskingTrees
from genwright.nets import MaskedTreesConfig

from . import coin_toys
from .coin_toys import SHAPE, rows

EVERY = torch.tensor(list(itertools.product((0, 1), (2, 3), (4, 5), range(6, 23))))


def fitted(n: int = 800, **settings: int) -> UnmaskingTrees:
    config = DiffusionConfig(net=MaskedTreesConfig(**settings), likelihood_points=300)
    family = build_family(config.resolve(depth=1, shape=SHAPE), shape=SHAPE)
    assert isinstance(family, UnmaskingTrees) and isinstance(family, Fitted)
    found: UnmaskingTrees = coin_toys.fitted(family, n)
    return found


def test_it_learns_the_joint_and_bounds_its_likelihood() -> None:
    family = fitted()
    made = family.sample(2000, rng=torch.Generator().manual_seed(2)).ids
    assert torch.equal(made, family.sample(2000, rng=torch.Generator().manual_seed(2)).ids)
    assert ((made[:, 0] ^ (made[:, 1] - 2)) == made[:, 2] - 4).float().mean() > 0.95
    assert (2 * made[:, 0] + made[:, 1] - 2 == (made[:, 3] - 6) // 4).float().mean() > 0.95
    value = family.log_prob(Tokens(rows(500, 5)))
    assert value.kind == "lower" and value.value is not None
    true = -torch.tensor(16.0).log()
    assert true - 0.4 < value.value.mean() < true + 0.02
    assert family.log_prob(Tokens(EVERY)).value.exp().sum() < 1.02


def test_shares_are_those_of_the_rows_that_agree() -> None:
    """With one tree and leaves of all copies the shares are the marginal's; with small ones those of the joint."""
    ids = torch.tensor([[1, 2, 5, 6]])
    known = torch.tensor([[True, True, False, False]])
    coarse, fine = (fitted(num_trees=2, min_leaf=leaf)._cells[2](ids, known) for leaf in (100_000, 5))
    torch.testing.assert_close(coarse, torch.tensor([[0.5, 0.5]], dtype=torch.float64), atol=0.05, rtol=0)
    assert fine[0, 1] > 0.98
    torch.testing.assert_close(fine.sum(1), torch.ones(1, dtype=torch.float64))


@pytest.mark.parametrize("place", [0, 2, 3])
@pytest.mark.parametrize("steps", [None, 2])
def test_given_cells_stay_and_decide_the_others(place: int, steps: int | None) -> None:
    coin_toys.assert_completes(fitted(), place, steps=steps)


def test_it_comes_back_from_a_folder_with_the_same_bits(tmp_path) -> None:
    family = fitted(num_trees=3)
    save_family(tmp_path, config=family.config, shape=SHAPE, tensors=family.state(), facts={})
    again = load_family(tmp_path)
    drawn = [one.sample(50, rng=torch.Generator().manual_seed(1)).ids for one in (family, again)]
    assert torch.equal(*drawn)
    assert family.sample(0).ids.shape == (0, 4)


def test_constant_cells_and_few_rows_are_taken() -> None:
    config = DiffusionConfig(net=MaskedTreesConfig(num_trees=2)).resolve(depth=1, shape=SHAPE)
    family = UnmaskingTrees(config, shape=SHAPE)
    family.fit([Tokens(torch.tensor([[1, 2, 4, 6], [1, 3, 4, 9]]))], rng=torch.Generator().manual_seed(0))
    made = family.sample(200, rng=torch.Generator().manual_seed(1)).ids
    assert (made[:, 0] == 1).float().mean() > 0.9 and (made[:, 2] == 4).float().mean() > 0.9


def test_what_it_cannot_do_is_said() -> None:
    with pytest.raises(CapabilityError, match="condition"):
        fitted(100).sample(2, cond=[[1.0]])
    trees = DiffusionConfig(net=MaskedTreesConfig())
    told = TokenShape(25, 23, 24, 4, cells=SHAPE.cells, cond_size=2)
    for shape, why in ((told, "take no condition"), (TokenShape(6, 4, 5, 8), "need columns")):
        with pytest.raises(ValueError, match=why):
            trees.resolve(depth=1, shape=shape)
    assert "clipped" in str(trees.not_private("tokens"))
    assert not trees.embeds("tokens", own_ids=True)
    assert trees.learning_rate() == 0.0
    with pytest.raises(ValueError, match="not 'masked-trees'"):
        AutoregressiveConfig(net=MaskedTreesConfig()).resolve(depth=1, shape=SHAPE)
