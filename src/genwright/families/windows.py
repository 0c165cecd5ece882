"""Windows of sequences: how many positions a family that sees a whole sequence looks at, and how often each occurs."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genwright.families.requests import uniform

WIDTH = 8


class Windows(nn.Module):
    """The multiples of 8 up to a longest sequence, counted in training, so that they have probabilities.

    A sequence lies in the smallest one that holds it, of those that occurred; where none does, in the largest.
    """

    counts: Tensor

    def __init__(self, longest: int) -> None:
        super().__init__()
        self.longest = longest
        self.register_buffer("counts", torch.zeros(-(-longest // WIDTH)))

    @property
    def used(self) -> bool:
        """Whether any was counted."""
        return bool(self.counts.any())

    def count(self, mask: Bool[Tensor, "b t"]) -> None:
        """Adds the windows of those rows."""
        self.counts += torch.bincount(self._smallest(mask), minlength=len(self.counts))

    def only_largest(self) -> None:
        """Where none was counted, there is the largest one alone, whatever the rows are: nothing is said of them."""
        if not self.used:
            self.counts[-1].fill_(1.0)

    def of(self, mask: Bool[Tensor, "b t"]) -> Int[Tensor, " b"]:
        """The place of each row's window."""
        place = torch.arange(len(self.counts), device=mask.device)
        last = len(self.counts) - 1
        next_one = place.where(self.counts > 0, last).flip(0).cummin(0).values.flip(0)
        return next_one[self._smallest(mask).clamp_max(last)]

    def ends(self, window: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
        """How many positions those windows have."""
        return ((window + 1) * WIDTH).clamp_max(self.longest)

    def nats(self, window: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """-log p of those windows; one is added to the count of each that occurred, and of the largest."""
        counts = torch.where(self.counts > 0, self.counts + 1.0, 0.0)
        counts[-1] = self.counts[-1] + 1.0
        return -(counts / counts.sum()).log()[window]

    def draw(self, known: Bool[Tensor, "b t"], *, rng: torch.Generator | None) -> Int[Tensor, " b"]:
        """A window for each row as they occur, of those that leave a position behind what is known."""
        place = torch.arange(known.shape[1], device=known.device)
        smallest = ((known * place).amax(1) + 1) // WIDTH
        fits = torch.arange(len(self.counts), device=known.device) >= smallest[:, None]
        weights = self.counts.double() * fits
        weights[:, -1] += weights.sum(1) == 0
        reached = weights.cumsum(1)
        at = uniform((len(known),), rng=rng, device=known.device).double() * reached[:, -1]
        return (reached <= at[:, None]).sum(1)

    def _smallest(self, mask: Bool[Tensor, "b t"]) -> Int[Tensor, " b"]:
        return (mask.sum(1) - 1) // WIDTH
