"""Autoregression over a fixed layout of cells in any order: each cell given any others."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Clock, Given, Tokens, TokenShape
from genwright.families.config import AutoregressiveConfig
from genwright.nets.mlp import Mlp


class AnyOrder(nn.Module):
    """One net predicts every unknown cell from the known ones; which are known is drawn anew for each row.

    The loss of a row is the mean over its unknown cells, with the number of known cells uniform: the mean over all
    orders of the nats per cell. Source: arXiv:1310.1757, equations 6 to 9 (order-agnostic NADE). `log_prob` is the
    exact likelihood in the order of the layout, which is the order that samples are drawn in.
    """

    _place: Tensor
    _legal: Tensor

    def __init__(self, config: AutoregressiveConfig, *, shape: TokenShape) -> None:
        super().__init__()
        self.config, self.shape = config, shape
        assert config.cell_width and config.cell_layers, "resolve() first"
        count = len(shape.cells)
        self.known_embedding = nn.Embedding(shape.vocab_size, config.cell_width)
        self.unknown_embedding = nn.Embedding(count, config.cell_width)
        self.net = Mlp(
            config.cell_width,
            shape.vocab_size,
            width=config.cell_width,
            num_layers=config.cell_layers,
            cond_size=shape.cond_size,
        )
        for table in (self.known_embedding, self.unknown_embedding):
            nn.init.normal_(table.weight, std=count**-0.5)
            table.weight.is_embedding = True  # type: ignore[attr-defined]
        place, legal = _windows(shape)
        self.register_buffer("_place", place, persistent=False)
        self.register_buffer("_legal", legal, persistent=False)

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: the net with its embeddings."""
        return {"net": list(self.parameters())}

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Mean nats per unknown cell."""
        del clock
        count, cells = batch.ids.shape
        rank = torch.rand(count, cells, device=batch.ids.device).argsort(dim=1).argsort(dim=1)
        num_known = torch.randint(0, cells, (count, 1), device=batch.ids.device)
        known = rank < num_known
        nats = self._nats(batch.ids, known, batch.cond)
        weight = (~known) / (cells - num_known)
        loss = (nats * weight).sum(1).mean()
        yield "net", loss, {"loss": loss.detach()}

    @torch.no_grad()
    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each row, cell after cell in the order of the layout."""
        total = torch.zeros(len(batch.ids), dtype=torch.float64, device=batch.ids.device)
        known = torch.zeros_like(batch.ids, dtype=torch.bool)
        for cell in range(batch.ids.shape[1]):
            total -= self._nats(batch.ids, known, batch.cond)[:, cell].double()
            known[:, cell] = True
        return Bound(total, "exact")

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        cond: Tensor | None = None,
        guidance: float = 1.0,
        steps: int | None = None,
        temperature: float = 1.0,
        rng: torch.Generator | None = None,
    ) -> Tokens:
        """`n` rows: cells that are given stay, the others are drawn one after another.

        Raises:
            CapabilityError: `steps` is asked for; there are as many as unknown cells.
        """
        if steps is not None:
            raise CapabilityError("this family draws each cell once; it takes no number of steps")
        device = self.known_embedding.weight.device
        ids = torch.zeros(n, len(self.shape.cells), dtype=torch.long, device=device)
        known = torch.zeros_like(ids, dtype=torch.bool)
        if given is not None:
            assert isinstance(given.batch, Tokens)
            known = given.known.clone()
            ids = torch.where(known, given.batch.ids, ids)
        for cell in range(ids.shape[1]):
            logits = self._logits(ids, known, cond)[:, cell]
            if guidance != 1.0 and cond is not None:
                plain = self._logits(ids, known, None)[:, cell]
                logits = torch.where(logits.isinf(), logits, plain + guidance * (logits - plain))
            drawn = torch.multinomial((logits.double() / temperature).softmax(-1).cpu(), 1, generator=rng)[:, 0]
            ids[:, cell] = torch.where(known[:, cell], ids[:, cell], drawn.to(device) + self.shape.cells[cell][0])
            known[:, cell] = True
        return Tokens(ids, cond=cond)

    def _nats(
        self, ids: Int[Tensor, "b p"], known: Bool[Tensor, "b p"], cond: Float[Tensor, "b k"] | None
    ) -> Float[Tensor, "b p"]:
        """-log p of every cell's own value given the known cells."""
        logits = self._logits(ids, known, cond)
        own = ids - torch.tensor([first for first, _ in self.shape.cells], device=ids.device)
        return functional.cross_entropy(logits.transpose(1, 2).float(), own, reduction="none")

    def _logits(
        self, ids: Int[Tensor, "b p"], known: Bool[Tensor, "b p"], cond: Float[Tensor, "b k"] | None
    ) -> Float[Tensor, "b p v"]:
        """Scores of each cell's values, (b, p, widest cell); minus infinity beyond a cell's own."""
        inputs = torch.where(known[..., None], self.known_embedding(ids), self.unknown_embedding.weight)
        scores = self.net(inputs.sum(1), cond=cond)
        picked: Tensor = scores[:, self._place]
        return picked.masked_fill(~self._legal, -torch.inf)


def _windows(shape: TokenShape) -> tuple[Int[Tensor, "p v"], Bool[Tensor, "p v"]]:
    """For each cell the ids of its values, padded to the widest cell, and which of them are its own."""
    widest = max(count for _, count in shape.cells)
    offsets = torch.arange(widest)
    firsts = torch.tensor([first for first, _ in shape.cells])
    counts = torch.tensor([count for _, count in shape.cells])
    legal = offsets < counts[:, None]
    return torch.where(legal, firsts[:, None] + offsets, 0), legal
