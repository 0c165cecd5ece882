"""Rows of four cells that hang together, for families over columns of a table."""

from typing import Any

import torch

from genwright.core.protocols import Given, Tokens, TokenShape

SHAPE = TokenShape(vocab_size=25, bos_id=23, eos_id=24, context_tokens=4, cells=((0, 2), (2, 2), (4, 2), (6, 17)))


def rows(n: int, seed: int) -> torch.Tensor:
    """Two coins, whether they differ, and a number that says which of them fell how."""
    rng = torch.Generator().manual_seed(seed)
    a, b = (torch.randint(0, 2, (n,), generator=rng) for _ in range(2))
    number = 4 * (2 * a + b) + torch.randint(0, 4, (n,), generator=rng)
    return torch.stack((a, b + 2, (a ^ b) + 4, number + 6), dim=1)


def fitted(family: Any, n: int = 800) -> Any:
    """The family on so many rows, in two batches."""
    ids = rows(n, 1)
    family.fit([Tokens(ids[: n // 2]), Tokens(ids[n // 2 :])], rng=torch.Generator().manual_seed(0))
    return family


def assert_completes(family: Any, place: int, *, steps: int | None = None) -> None:
    """A cell that is given stays, and the others are as among the rows that have it."""
    row = torch.tensor([[1, 2, 5, 6 + 9]]).expand(400, 4)
    known = torch.zeros(400, 4, dtype=torch.bool)
    known[:, place] = True
    given = Given(Tokens(row), known)
    made = family.sample(400, given=given, steps=steps, rng=torch.Generator().manual_seed(4)).ids
    assert (made[:, place] == row[:, place]).all()
    true = rows(20_000, 9)
    true = true[true[:, place] == row[0, place]]
    for cell in range(3):
        assert abs(made[:, cell].double().mean() - true[:, cell].double().mean()) < 0.12
