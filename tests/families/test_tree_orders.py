"""Trees in many orders: an exact likelihood, completion from any side, less learnt by heart than by one sequence."""

import itertools

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Fitted, Tokens, TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.autoregressive import build
from genwright.families.cart import Cart
from genwright.families.cart_config import CartConfig
from genwright.families.store import build_family, load_family, save_family
from genwright.families.tree_orders import TreeOrders
from genwright.nets import TreesConfig

from . import coin_toys
from .coin_toys import SHAPE, rows


def fitted(n: int = 800, **settings: object) -> TreeOrders:
    order = settings.pop("order", None)
    config = AutoregressiveConfig(net=TreesConfig(**settings), order=order).resolve(depth=1, shape=SHAPE)
    family = build(config, shape=SHAPE)
    assert isinstance(family, TreeOrders) and isinstance(family, Fitted)
    found: TreeOrders = coin_toys.fitted(family, n)
    return found


def test_it_sums_to_one_and_draws_what_it_gives_odds_to() -> None:
    family = fitted()
    every = torch.tensor(list(itertools.product((0, 1), (2, 3), (4, 5), range(6, 23))))
    value = family.log_prob(Tokens(every))
    assert value.kind == "exact" and value.value is not None
    torch.testing.assert_close(value.value.exp().sum(), torch.tensor(1.0, dtype=torch.float64))
    made = family.sample(6000, rng=torch.Generator().manual_seed(2)).ids
    assert torch.equal(made, family.sample(6000, rng=torch.Generator().manual_seed(2)).ids)
    assert ((made[:, 0] ^ (made[:, 1] - 2)) == made[:, 2] - 4).float().mean() > 0.98
    odds = value.value.exp()
    for row, share in zip(every[odds > 0.02], odds[odds > 0.02], strict=True):
        assert abs(float((made == row).all(1).double().mean()) - float(share)) < 4 * float(share / 6000) ** 0.5


@pytest.mark.parametrize("place", [0, 2, 3])
def test_given_cells_stay_and_decide_the_others(place: int) -> None:
    coin_toys.assert_completes(fitted(num_orders=5), place)


def test_one_order_and_one_tree_on_all_rows_is_the_sequence_of_trees() -> None:
    family = fitted(order="layout", num_trees=1, share=1.0, min_leaf=8)
    cart = Cart(CartConfig(), shape=SHAPE)
    cart.fit([Tokens(rows(800, 1))], rng=torch.Generator().manual_seed(0))
    found = [one.log_prob(Tokens(rows(100, 7))).value for one in (family, cart)]
    assert found[0] is not None and found[1] is not None
    torch.testing.assert_close(found[0], found[1])


def test_rows_it_was_not_fitted_on_are_likelier_than_under_one_sequence() -> None:
    """Noise that a single sequence learns by heart: 60 rows of four unrelated cells."""
    rng = torch.Generator().manual_seed(3)

    def noise(n: int) -> torch.Tensor:
        cells = [torch.randint(first, first + count, (n,), generator=rng) for first, count in SHAPE.cells]
        return torch.stack(cells, dim=1)

    seen, unseen = noise(60), noise(2000)
    settings = AutoregressiveConfig(net=TreesConfig(min_leaf=4)).resolve(depth=1, shape=SHAPE)
    many, one = TreeOrders(settings, shape=SHAPE), Cart(CartConfig(min_leaf=4), shape=SHAPE)
    nats = {}
    for family in (many, one):
        family.fit([Tokens(seen)], rng=torch.Generator().manual_seed(0))
        values = [family.log_prob(Tokens(ids)).value for ids in (seen, unseen)]
        nats[family] = [-float(value.mean()) for value in values if value is not None]
    assert nats[many][1] < nats[one][1] - 0.5
    assert nats[many][1] - nats[many][0] < nats[one][1] - nats[one][0]


def test_it_comes_back_from_a_folder_with_the_same_bits(tmp_path) -> None:
    family = fitted(num_orders=3)
    save_family(tmp_path, config=family.config, shape=SHAPE, tensors=family.state(), facts={})
    again = load_family(tmp_path)
    drawn = [one.sample(50, rng=torch.Generator().manual_seed(1)).ids for one in (family, again)]
    assert torch.equal(*drawn)
    orders = family.state()["orders"]
    assert len(orders.unique(dim=0)) == 3 and (orders.sort(1).values == torch.arange(4)).all()


def test_what_it_cannot_do_is_said() -> None:
    with pytest.raises(CapabilityError, match="condition"):
        fitted(100).sample(2, cond=[[1.0]])
    with pytest.raises(CapabilityError, match="number of steps"):
        fitted(100).sample(2, steps=2)
    trees = AutoregressiveConfig(net=TreesConfig())
    told = TokenShape(25, 23, 24, 4, cells=SHAPE.cells, cond_size=2)
    shared = TokenShape(6, 4, 5, 2, cells=((0, 4), (0, 4)))
    stream = TokenShape(6, 4, 5, 8)
    for shape, why in ((told, "take no condition"), (shared, "need columns"), (stream, "over columns trees")):
        with pytest.raises(ValueError, match=why):
            trees.resolve(depth=1, shape=shape)
    assert "clipped" in str(trees.not_private("tokens"))
    assert not trees.embeds("tokens", own_ids=True)
    assert trees.learning_rate() == 0.0


def test_the_settings_build_it() -> None:
    config = AutoregressiveConfig(net=TreesConfig()).resolve(depth=1, shape=SHAPE)
    assert isinstance(build_family(config, shape=SHAPE), TreeOrders)
