"""One perceptron over a fixed layout of cells: any cells predicted from any others."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genwright.core.protocols import Clock, Tokens, TokenShape
from genwright.nets.mlp import Mlp


class CellNet(nn.Module):
    """Every unknown cell from the known ones, and from a latent of `d_read` entries where there is one.

    Cells have ids of their own, so that one sum of embeddings says which cells are known, and as what.
    """

    def __init__(
        self, shape: TokenShape, *, width: int, num_layers: int, d_read: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.shape = shape
        count = len(shape.cells)
        self.known_embedding = nn.Embedding(shape.vocab_size, width)
        self.unknown_embedding = nn.Embedding(count, width)
        self.read = nn.Linear(d_read, width, bias=False) if d_read else None
        self.net = Mlp(
            width, shape.vocab_size, width=width, num_layers=num_layers, cond_size=shape.cond_size, dropout=dropout
        )
        for table in (self.known_embedding, self.unknown_embedding):
            nn.init.normal_(table.weight, std=count**-0.5)
            table.weight.is_embedding = True  # type: ignore[attr-defined]

    def scores(
        self,
        ids: Int[Tensor, "b p"],
        known: Bool[Tensor, "b p"],
        cond: Float[Tensor, "b k"] | None,
        latent: Float[Tensor, "b z"] | None = None,
    ) -> Float[Tensor, "b v"]:
        """The score of every id, of which each cell compares its own."""
        # A product with marks: to gather rows for each cell and add them up takes longer, forward and backward.
        weight = self.known_embedding.weight
        marks = weight.new_zeros(len(ids), len(weight)).scatter_add(1, ids, known.to(weight.dtype))
        inputs = marks @ weight + (~known).to(weight.dtype) @ self.unknown_embedding.weight
        if self.read is not None and latent is not None:
            inputs = inputs + self.read(latent)
        out: Tensor = self.net(inputs, cond=cond)
        return out

    def own(self, cell: int, scores: Float[Tensor, "b v"]) -> Float[Tensor, "b c"]:
        """The scores of a cell's own values."""
        return scores.narrow(1, *self.shape.cells[cell])

    def nats_of(self, cell: int, scores: Float[Tensor, "b v"], ids: Int[Tensor, "b p"]) -> Float[Tensor, " b"]:
        """-log p of the cell's value."""
        chosen = scores.gather(1, ids[:, cell : cell + 1])[:, 0]
        return self.own(cell, scores).logsumexp(1) - chosen

    def mean_unknown(
        self,
        batch: Tokens,
        rank: Int[Tensor, "b p"],
        num_known: Int[Tensor, "b 1"],
        latent: Float[Tensor, "b z"] | None = None,
    ) -> Float[Tensor, " b"]:
        """Mean nats per unknown cell of each row, the first `num_known` by `rank` known."""
        known = rank < num_known
        scores = self.scores(batch.ids, known, batch.cond, latent)
        nats = torch.stack([self.nats_of(cell, scores, batch.ids) for cell in range(batch.ids.shape[1])], dim=1)
        return (nats * (~known)).sum(1) / (batch.ids.shape[1] - num_known[:, 0])

    def in_layout_order(
        self,
        ids: Int[Tensor, "b p"],
        cond: Float[Tensor, "b k"] | None,
        latent: Float[Tensor, "b z"] | None = None,
    ) -> Float[Tensor, "b p"]:
        """-log p of every cell given those before it in the layout, in float64."""
        known = torch.zeros_like(ids, dtype=torch.bool)
        each = []
        for cell in range(ids.shape[1]):
            each.append(self.nats_of(cell, self.scores(ids, known, cond, latent), ids).double())
            known[:, cell] = True
        return torch.stack(each, dim=1)


def random_order(ids: Int[Tensor, "b p"], /) -> tuple[Int[Tensor, "b p"], Int[Tensor, "b 1"]]:
    """A rank of the cells of each row, and how many of them are known, from none to all but one."""
    count, cells = ids.shape
    rank = torch.rand(count, cells, device=ids.device).argsort(dim=1).argsort(dim=1)
    return rank, torch.randint(0, cells, (count, 1), device=ids.device)


def fixed_order(ids: Int[Tensor, "b p"], /) -> tuple[Int[Tensor, "b p"], Int[Tensor, "b 1"]]:
    """The same at every call, numbers of known cells spread evenly over the rows."""
    count, cells = ids.shape
    rank = torch.rand(count, cells, generator=torch.Generator().manual_seed(0)).argsort(dim=1).argsort(dim=1)
    num_known = torch.arange(count)[:, None] % cells
    return rank.to(ids.device), num_known.to(ids.device)


class TrainedInAnyOrder(CellNet):
    """A family that is one such net, trained on all orders at once.

    The loss of a row is the mean over its unknown cells, with the number of known cells uniform: the mean over all
    orders of the nats per cell. Source: arXiv:1310.1757, equations 6 to 9 (order-agnostic NADE).
    """

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: the net with its embeddings."""
        return {"net": list(self.parameters())}

    def optimisers(self) -> Mapping[str, Mapping[str, Any]]:
        """AdamW with much decay: Muon costs more than the step itself where a batch is as small as the net is wide."""
        return {"net": {"kind": "adamw", "beta2": 0.99, "weight_decay": 0.3}}

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Mean nats per unknown cell."""
        del clock
        loss = self.mean_unknown(batch, *random_order(batch.ids)).mean()
        yield "net", loss, {"loss": loss.detach()}

    @torch.no_grad()
    def held_out_nats(self, batch: Tokens) -> Tensor:
        """Nats of each row, the mean over orders estimated by one pass; the same at every call."""
        return self.mean_unknown(batch, *fixed_order(batch.ids)) * batch.ids.shape[1]
