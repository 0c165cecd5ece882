"""Where the numbers and the categories of a vector stand."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genwright.core.protocols import VectorShape
from genwright.families.requests import uniform


class VectorLayout(nn.Module):
    """Index tables of a `VectorShape`; all columns of categories are worked on at once."""

    numbers: Tensor
    entries: Tensor
    column: Tensor

    def __init__(self, shape: VectorShape) -> None:
        super().__init__()
        numbers: list[int] = []
        entries: list[int] = []
        column: list[int] = []
        at = count = 0
        for item in shape.columns:
            places = range(at, at + item.width)
            if item.kind == "number":
                numbers.extend(places)
            else:
                entries.extend(places)
                column.extend([count] * item.width)
                count += 1
            at += item.width
        self.num_categories, self.num_numbers = count, len(numbers)
        for name, table in (("numbers", numbers), ("entries", entries), ("column", column)):
            self.register_buffer(name, torch.tensor(table, dtype=torch.long), persistent=False)

    def log_softmax(self, logits: Float[Tensor, "b e"]) -> Float[Tensor, "b e"]:
        """Log-probabilities within each category column, from the logits of all their entries."""
        column = self.column.expand(len(logits), -1)
        empty = logits.new_full((len(logits), self.num_categories), -torch.inf)
        most = empty.scatter_reduce(1, column, logits.detach(), "amax").gather(1, column)
        total = torch.zeros_like(empty).scatter_add(1, column, (logits - most).exp())
        return logits - most - total.gather(1, column).clamp_min(1e-30).log()

    def one_hot(self, scores: Float[Tensor, "b e"]) -> Float[Tensor, "b e"]:
        """1 at the highest score of each category column, 0 elsewhere; the first of equals."""
        column = self.column.expand(len(scores), -1)
        empty = scores.new_full((len(scores), self.num_categories), -torch.inf)
        top = scores == empty.scatter_reduce(1, column, scores, "amax").gather(1, column)
        place = torch.arange(scores.shape[1], device=scores.device).expand_as(scores)
        last = scores.shape[1]
        none = torch.full_like(empty, last, dtype=torch.long)
        first = none.scatter_reduce(1, column, torch.where(top, place, last), "amin").gather(1, column)
        return (place == first).to(scores.dtype)

    def draw(
        self, logits: Float[Tensor, "b e"], *, temperature: float = 1.0, rng: torch.Generator | None = None
    ) -> Float[Tensor, "b e"]:
        """A one-hot draw for each category column; the likeliest at temperature 0."""
        if not temperature:
            return self.one_hot(logits)
        noise = uniform(logits.shape, rng=rng, device=logits.device).clamp_min(1e-20)
        return self.one_hot(logits / temperature - (-noise.log()).log())
