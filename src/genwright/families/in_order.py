"""Autoregression over a fixed layout of cells in the order of the layout, by a causal transformer."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Clock, Tokens, TokenShape
from genwright.families.config import AutoregressiveConfig
from genwright.families.requests import asked, check_given, choose
from genwright.nets.causal import CausalReader


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

    def _nats(self, batch: Tokens) -> Float[Tensor, "b p"]:
        before = functional.pad(batch.ids[:, :-1], (1, 0), value=self.shape.vocab_size)
        cond = batch.cond if self.shape.cond_size else None
        logits = self.net(before, None, cond)
        return functional.cross_entropy(logits.transpose(1, 2), batch.ids, reduction="none")

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
        """`n` rows, cell after cell; where `given` holds the first cells of a row they stay.

        Raises:
            CapabilityError: arguments that do not fit; of a row other cells than its first are known.
        """
        if steps is not None:
            raise CapabilityError("this family draws each cell once; it takes no number of steps")
        device = self.net.head.weight.device
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device, guides=True
        )
        ids, num_known = self._start(n, given, device)
        last = torch.full((n,), self.shape.vocab_size, device=device)
        pasts: list[list[list[Tensor]]] = [[[] for _ in self.net.layers] for _ in range(2)]
        for place in range(ids.shape[1]):
            logits = self.net.step(last, None, told, place=place, past=pasts[0]).log_softmax(-1)
            if guidance != 1.0:
                plain = self.net.step(last, None, None, place=place, past=pasts[1]).log_softmax(-1)
                logits = _guided(plain, logits, guidance)
            drawn = choose(logits / temperature, rng=rng) if temperature else logits.argmax(-1)
            last = torch.where(place < num_known, ids[:, place], drawn)
            ids[:, place] = last
        return Tokens(ids, cond=told)

    def _start(self, n: int, given: Any, device: torch.device) -> tuple[Int[Tensor, "n p"], Int[Tensor, " n"]]:
        """Ids of which the first few of each row count, and how many."""
        ids = torch.zeros(n, len(self.shape.cells), dtype=torch.long, device=device)
        if given is None:
            return ids, torch.zeros(n, dtype=torch.long, device=device)
        found = check_given(given, entries=ids.shape[1:], n=n)
        known = found.known.to(device)
        count = known.sum(1)
        if bool((known != (torch.arange(ids.shape[1], device=device) < count[:, None])).any()):
            raise CapabilityError(
                "this model goes through the cells in their order: only the first ones can be given",
                hint="train.family = 'diffusion' fills in any cells",
            )
        return torch.where(known, cast("Tokens", found.batch).ids.to(device), ids), count


def _guided(plain: Tensor, told: Tensor, guidance: float) -> Tensor:
    """Log-probabilities moved away from those without the condition (arXiv:2207.12598, equation 6)."""
    return torch.where(told.isinf(), told, plain + guidance * (told - plain))
