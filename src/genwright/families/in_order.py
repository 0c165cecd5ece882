"""Autoregression over a fixed layout of cells in the order of the layout, by a causal net."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Clock, Tokens, TokenShape
from genwright.families.config import AutoregressiveConfig
from genwright.families.lengths import mean_state
from genwright.families.requests import asked, choose, draw, guided, known_cells
from genwright.nets.causal import CausalReader

PARTICLES = 16


class InOrder(nn.Module):
    """p(x) as the product of p(cell | cells before, condition); cells may share ids."""

    def __init__(self, config: AutoregressiveConfig, *, shape: TokenShape) -> None:
        super().__init__()
        assert config.cell_width and config.cell_layers, "resolve() first"
        self.config, self.shape = config, shape
        self.net = CausalReader(
            shape.vocab_size,
            d_model=config.cell_width,
            num_layers=config.cell_layers,
            cond_size=shape.cond_size,
            cells=shape.cells,
            recurrent=config.recurrent,
            dropout=config.dropout,
        )

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: the net."""
        return {"net": list(self.parameters())}

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Mean nats per cell."""
        del clock
        loss = self._nats(batch).mean()
        yield "net", loss, {"loss": loss.detach()}

    @torch.no_grad()
    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each row, given its condition where the model knows one."""
        return Bound(-self._nats(batch).double().sum(1), "exact")

    @torch.no_grad()
    def embed(self, batch: Tokens) -> Float[Tensor, "b d"]:
        """The net's last hidden states, averaged over the cells."""
        return mean_state(self.net.states(self._before(batch.ids), None, self._told(batch)), None)

    def _nats(self, batch: Tokens) -> Float[Tensor, "b p"]:
        logits = self.net(self._before(batch.ids), None, self._told(batch))
        return functional.cross_entropy(logits.transpose(1, 2), batch.ids, reduction="none")

    def _before(self, ids: Int[Tensor, "b p"]) -> Int[Tensor, "b p"]:
        """What stands before each cell; before the first one a mark."""
        return functional.pad(ids[:, :-1], (1, 0), value=self.shape.vocab_size)

    def _told(self, batch: Tokens) -> Tensor | None:
        return batch.cond if self.shape.cond_size else None

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
        """`n` rows, cell after cell; given cells stay. Where they are not the first ones, `PARTICLES` rows are tried.

        Raises:
            CapabilityError: arguments that do not fit.
        """
        if steps is not None:
            raise CapabilityError("this family draws each cell once; it takes no number of steps")
        device = self.net.head.weight.device
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device, guides=True
        )
        ids, known = known_cells(given, n=n, cells=len(self.shape.cells), device=device)
        first = torch.arange(ids.shape[1], device=device) < known.sum(1, keepdim=True)
        copies = 1 if torch.equal(known, first) else PARTICLES
        draw = _Draw(self.net, ids, known, told, copies=copies, guidance=guidance)
        for place in range(ids.shape[1]):
            draw.step(place, temperature=temperature, rng=rng)
        return Tokens(draw.finish(rng=rng), cond=told)


class _Draw:
    """Rows on their way, each in several copies that are weighted by how likely they made the given cells.

    Copies are drawn again by their weights where these count for less than half of them, and one is kept in the end:
    exact in the limit of many copies. Source: sequential importance resampling, Doucet & Johansen 2009, section 3.5.
    """

    def __init__(
        self, net: CausalReader, ids: Tensor, known: Tensor, told: Tensor | None, *, copies: int, guidance: float
    ) -> None:
        self._net, self._copies, self._guidance = net, copies, guidance
        self._ids, self._known = (rows.repeat_interleave(copies, 0) for rows in (ids, known))
        self._told = None if told is None else told.repeat_interleave(copies, 0)
        self._weights = torch.zeros(len(ids), copies, device=ids.device)
        self._last = torch.full((len(self._ids),), net.embedding.num_embeddings - 1, device=ids.device)
        self._pasts: list[list[list[Tensor]]] = [[[] for _ in net.layers] for _ in range(2)]

    def step(self, place: int, *, temperature: float, rng: torch.Generator | None) -> None:
        """Draws one cell of every copy."""
        logits = self._net.step(self._last, None, self._told, place=place, past=self._pasts[0]).log_softmax(-1)
        if self._guidance != 1.0:
            plain = self._net.step(self._last, None, None, place=place, past=self._pasts[1]).log_softmax(-1)
            logits = guided(plain, logits, self._guidance)
        drawn = draw(logits, temperature=temperature, rng=rng)
        held = self._known[:, place]
        self._last = torch.where(held, self._ids[:, place], drawn)
        self._ids[:, place] = self._last
        if self._copies > 1 and bool(held.any()):
            likely = logits.log_softmax(-1).gather(1, self._last[:, None])[:, 0]
            self._weights += torch.where(held, likely, 0.0).view_as(self._weights)
            self._resample(rng)

    def _resample(self, rng: torch.Generator | None) -> None:
        shares = self._weights.softmax(1)
        poor = 1.0 / shares.square().sum(1) < self._copies / 2
        if not bool(poor.any()):
            return
        chosen = choose(self._weights[:, None].expand(-1, self._copies, -1), rng=rng)
        kept = torch.where(poor[:, None], chosen, torch.arange(self._copies, device=chosen.device))
        rows = (kept + self._copies * torch.arange(len(kept), device=kept.device)[:, None]).flatten()
        self._ids, self._last = self._ids[rows], self._last[rows]
        self._pasts = [[[entry[rows] for entry in layer] for layer in past] for past in self._pasts]
        self._weights = torch.where(poor[:, None], 0.0, self._weights)

    def finish(self, *, rng: torch.Generator | None) -> Int[Tensor, "n p"]:
        """One copy of each row."""
        if self._copies == 1:
            return self._ids
        chosen = choose(self._weights, rng=rng)
        return self._ids.view(len(chosen), self._copies, -1)[torch.arange(len(chosen), device=chosen.device), chosen]
