"""Autoregression over cells in any order: it learns a joint, completes rows, and its likelihood is exact."""

import itertools

import pytest
import torch

from genwright.core.protocols import Clock, Given, Tokens, TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.any_order import AnyOrder
from genwright.families.config import FamilyConfig
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.store import build_family
from genwright.nets import TransformerConfig
from genwright.nets.backbones import MlpConfig

SHAPE = TokenShape(vocab_size=9, bos_id=7, eos_id=8, context_tokens=3, cells=((0, 2), (2, 3), (5, 2)))


def rows(n: int) -> torch.Tensor:
    """Cell 2 equals cell 0; cell 1 is uneven."""
    generator = torch.Generator().manual_seed(3)
    first = torch.randint(0, 2, (n,), generator=generator)
    middle = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), n, replacement=True, generator=generator)
    return torch.stack((first, middle + 2, first + 5), dim=1)


def trained(steps: int = 300) -> AnyOrder:
    config = AutoregressiveConfig(cell_width=32, cell_layers=1).resolve(depth=1, shape=SHAPE)
    family = build_family(config, shape=SHAPE, seed=1)
    optimiser = torch.optim.AdamW(family.parameters(), lr=0.01)
    data = rows(512)
    torch.manual_seed(0)
    for step in range(steps):
        (_, loss, _) = next(family.losses(Tokens(data), Clock(step, step / steps)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return family.eval()


def test_it_learns_completes_and_sums_to_one() -> None:
    family = trained()
    every = torch.tensor([(a, b + 2, c + 5) for a, b, c in itertools.product(range(2), range(3), range(2))])
    bound = family.log_prob(Tokens(every))
    assert bound.kind == "exact" and bound.value is not None
    torch.testing.assert_close(bound.value.exp().sum(), torch.tensor(1.0, dtype=torch.float64), atol=1e-5, rtol=0)
    held_out = family.held_out_nats(Tokens(rows(512)))
    assert torch.equal(held_out, family.held_out_nats(Tokens(rows(512))))
    exact = family.log_prob(Tokens(rows(512))).value
    assert exact is not None and abs(float(held_out.mean() + exact.mean())) < 0.15
    drawn = family.sample(400, rng=torch.Generator().manual_seed(5)).ids
    assert (drawn[:, 0] == drawn[:, 2] - 5).float().mean() > 0.95
    share = float(bound.value.exp()[every[:, 1] == 2].sum())
    assert abs(float((drawn[:, 1] == 2).double().mean()) - share) < 0.07
    assert abs(share - 0.6) < 0.15
    assert torch.equal(drawn, family.sample(400, rng=torch.Generator().manual_seed(5)).ids)
    known = torch.tensor([[False, False, True]]).expand(50, 3)
    ids = torch.tensor([[0, 2, 6]]).expand(50, 3)
    completed = family.sample(50, given=Given(Tokens(ids), known), rng=torch.Generator().manual_seed(5)).ids
    assert (completed[:, 2] == 6).all() and (completed[:, 0] == 1).float().mean() > 0.9


def test_each_row_is_drawn_in_an_order_of_its_own() -> None:
    family = trained(1)
    sure = torch.zeros(1, family.shape.vocab_size)

    def scores(ids: torch.Tensor, known: torch.Tensor, cond: object) -> torch.Tensor:
        """A cell that is drawn before the other two holds its second value, the others hold their first."""
        out = sure.repeat(len(ids), 1)
        for first, _ in family.shape.cells:
            out[:, first] = torch.where(known.any(1), 50.0, 0.0)
            out[:, first + 1] = torch.where(known.any(1), 0.0, 50.0)
        return out

    family.scores = scores  # type: ignore[method-assign]
    ids = family.sample(60, rng=torch.Generator().manual_seed(2)).ids
    began = ids - torch.tensor([first for first, _ in family.shape.cells])
    assert (began.sum(1) == 1).all() and (began.sum(0) > 5).all()


@pytest.mark.parametrize(
    "config",
    [AutoregressiveConfig(net=TransformerConfig(dropout=0.5)), DiffusionConfig(net=MlpConfig(dropout=0.5))],
)
def test_dropout_is_of_training_alone(config: FamilyConfig) -> None:
    family = build_family(config.resolve(depth=1, shape=SHAPE), shape=SHAPE, seed=1)
    torch.nn.init.normal_(family.net.out.weight)
    ids, known = torch.tensor([[0, 2, 5]]), torch.ones(1, 3, dtype=torch.bool)
    assert not torch.equal(family.train().scores(ids, known, None), family.scores(ids, known, None))
    assert torch.equal(family.eval().scores(ids, known, None), family.scores(ids, known, None))
