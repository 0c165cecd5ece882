"""Autoregression over a fixed layout of cells in any order: each cell given any others."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Clock, Tokens, TokenShape
from genwright.families.config import AutoregressiveConfig
from genwright.families.requests import asked, check_given, draw
from genwright.nets.mlp import Mlp


class AnyOrder(nn.Module):
    """One net predicts every unknown cell from the known ones; which are known is drawn anew for each row.

    The loss of a row is the mean over its unknown cells, with the number of known cells uniform: the mean over all
    orders of the nats per cell. Source: arXiv:1310.1757, equations 6 to 9 (order-agnostic NADE). `log_prob` is the
    exact likelihood in the order of the layout, which is the order that samples are drawn in.
    """

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

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: the net with its embeddings."""
        return {"net": list(self.parameters())}

    def optimisers(self) -> Mapping[str, Mapping[str, Any]]:
        """AdamW with much decay: Muon costs more than the step itself where a batch is as small as the net is wide."""
        return {"net": {"kind": "adamw", "beta2": 0.99, "weight_decay": 0.3}}

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Mean nats per unknown cell."""
        del clock
        count, cells = batch.ids.shape
        rank = torch.rand(count, cells, device=batch.ids.device).argsort(dim=1).argsort(dim=1)
        num_known = torch.randint(0, cells, (count, 1), device=batch.ids.device)
        loss = self._mean_unknown(batch, rank, num_known).mean()
        yield "net", loss, {"loss": loss.detach()}

    @torch.no_grad()
    def held_out_nats(self, batch: Tokens) -> Tensor:
        """Nats of each row, the mean over orders estimated by one pass; the same at every call."""
        count, cells = batch.ids.shape
        rank = torch.rand(count, cells, generator=torch.Generator().manual_seed(0)).argsort(dim=1).argsort(dim=1)
        num_known = torch.arange(count)[:, None] % cells
        device = batch.ids.device
        return self._mean_unknown(batch, rank.to(device), num_known.to(device)) * cells

    def _mean_unknown(self, batch: Tokens, rank: Int[Tensor, "b p"], num_known: Int[Tensor, "b 1"]) -> Tensor:
        """Mean nats per unknown cell of each row, the first `num_known` by `rank` known."""
        known = rank < num_known
        nats = self._nats(batch.ids, known, batch.cond)
        return (nats * (~known)).sum(1) / (batch.ids.shape[1] - num_known[:, 0])

    @torch.no_grad()
    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each row, cell after cell in the order of the layout."""
        total = torch.zeros(len(batch.ids), dtype=torch.float64, device=batch.ids.device)
        known = torch.zeros_like(batch.ids, dtype=torch.bool)
        for cell in range(batch.ids.shape[1]):
            total -= self._nats_of(cell, self._scores(batch.ids, known, batch.cond), batch.ids).double()
            known[:, cell] = True
        return Bound(total, "exact")

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        given: Any = None,
        cond: Any = None,
        guidance: float = 1.0,
        steps: int | None = None,
        temperature: float = 1.0,
        rng: torch.Generator | None = None,
    ) -> Tokens:
        """`n` rows: cells that are given stay, the others are drawn one after another.

        Raises:
            CapabilityError: arguments that do not fit; `steps` is asked for, and there are as many as unknown cells.
        """
        if steps is not None:
            raise CapabilityError("this family draws each cell once; it takes no number of steps")
        device = self.known_embedding.weight.device
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device, guides=True
        )
        ids = torch.zeros(n, len(self.shape.cells), dtype=torch.long, device=device)
        known = torch.zeros_like(ids, dtype=torch.bool)
        if given is not None:
            found = check_given(given, entries=ids.shape[1:], n=n)
            known = found.known.to(device).clone()
            ids = torch.where(known, cast("Tokens", found.batch).ids.to(device), ids)
        for cell in range(ids.shape[1]):
            logits = self._own(cell, self._scores(ids, known, told))
            if guidance != 1.0:
                logits = torch.lerp(self._own(cell, self._scores(ids, known, None)), logits, guidance)
            drawn = draw(logits, temperature=temperature, rng=rng)
            ids[:, cell] = torch.where(known[:, cell], ids[:, cell], drawn + self.shape.cells[cell][0])
            known[:, cell] = True
        return Tokens(ids, cond=told)

    def _nats(
        self, ids: Int[Tensor, "b p"], known: Bool[Tensor, "b p"], cond: Float[Tensor, "b k"] | None
    ) -> Float[Tensor, "b p"]:
        """-log p of every cell's own value given the known cells."""
        scores = self._scores(ids, known, cond)
        return torch.stack([self._nats_of(cell, scores, ids) for cell in range(ids.shape[1])], dim=1)

    def _nats_of(self, cell: int, scores: Float[Tensor, "b v"], ids: Int[Tensor, "b p"]) -> Float[Tensor, " b"]:
        own = scores.gather(1, ids[:, cell : cell + 1])[:, 0]
        return self._own(cell, scores).logsumexp(1) - own

    def _own(self, cell: int, scores: Float[Tensor, "b v"]) -> Float[Tensor, "b c"]:
        """The scores of a cell's own values."""
        return scores.narrow(1, *self.shape.cells[cell])

    def _scores(
        self, ids: Int[Tensor, "b p"], known: Bool[Tensor, "b p"], cond: Float[Tensor, "b k"] | None
    ) -> Float[Tensor, "b v"]:
        """The score of every id, of which each cell compares its own."""
        # A product with marks: to gather rows for each cell and add them up takes longer, forward and backward.
        weight = self.known_embedding.weight
        marks = weight.new_zeros(len(ids), len(weight)).scatter_add(1, ids, known.to(weight.dtype))
        inputs = marks @ weight + (~known).to(weight.dtype) @ self.unknown_embedding.weight
        scores: Tensor = self.net(inputs, cond=cond)
        return scores
