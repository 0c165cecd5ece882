"""Autoregression over sequences of any length that are told a condition."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genwright.core.protocols import Bound, Clock, Tokens, TokenShape
from genwright.families.config import AutoregressiveConfig
from genwright.families.lengths import mean_state, relative_tokens
from genwright.families.requests import asked, draw, guided, known_starts, up_to_end
from genwright.nets.causal import CausalReader


class ConditionedSequences(nn.Module):
    """p(x | c) as the product of p(x_t | x_<t, c) over a causal net that reads the condition everywhere.

    Training drops the condition of some samples, so that one net also knows p(x) and a sampler can guide.
    """

    takes_rows_by_length = True

    def __init__(self, config: AutoregressiveConfig, *, shape: TokenShape) -> None:
        super().__init__()
        assert config.cell_width and config.cell_layers, "resolve() first"
        self.config, self.shape = config, shape
        self.net = CausalReader(
            shape.vocab_size,
            d_model=config.cell_width,
            num_layers=config.cell_layers,
            cond_size=shape.cond_size,
            recurrent=config.recurrent,
            dropout=config.dropout,
        )

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: the net."""
        return {"net": list(self.parameters())}

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Mean nats per token of all rows."""
        del clock
        counted = self._counted(batch)
        loss = (self._nats(batch) * counted).sum() / counted.sum()
        yield "net", loss * relative_tokens(batch, counted), {"loss": loss.detach()}

    @torch.no_grad()
    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each sequence given its first token, and its condition where there is one."""
        return Bound(-(self._nats(batch) * self._counted(batch)).double().sum(1), "exact")

    @torch.no_grad()
    def embed(self, batch: Tokens) -> Float[Tensor, "b d"]:
        """The net's last hidden states, averaged over the tokens of each sequence."""
        return mean_state(self.net.states(batch.ids, None, batch.cond), batch.mask)

    def _nats(self, batch: Tokens) -> Float[Tensor, "b t"]:
        logits = self.net(batch.ids[:, :-1], None, batch.cond)
        return functional.cross_entropy(logits.transpose(1, 2), batch.ids[:, 1:], reduction="none")

    def _counted(self, batch: Tokens) -> Float[Tensor, "b t"]:
        mask = torch.ones_like(batch.ids) if batch.mask is None else batch.mask
        return mask[:, 1:].float()

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
        """`n` sequences of 1 to `steps` tokens after what is given: the begin mark, or the known start of each row.

        Raises:
            CapabilityError: arguments that do not fit, or what is known of a row is not its start.
        """
        device = self.net.head.weight.device
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device, guides=True
        )
        starts, num_known = known_starts(given, n=n, bos_id=self.shape.bos_id, device=device)
        longest = (int(num_known.max()) if n else 1) + (steps or self.shape.context_tokens)
        ids = torch.full((n, longest), self.shape.eos_id, device=device)
        ids[:, : starts.shape[1]] = starts[:, :longest]
        pasts: list[list[list[Tensor]]] = [[[] for _ in self.net.layers] for _ in range(2)]
        ended = torch.zeros(n, dtype=torch.bool, device=device)
        for place in range(1, longest):
            drawn = self._next(ids[:, place - 1], told, guidance, temperature, place=place - 1, pasts=pasts, rng=rng)
            drawn = torch.where(place < num_known, ids[:, place], drawn)
            ids[:, place] = torch.where(ended, self.shape.eos_id, drawn)
            ended |= ids[:, place] == self.shape.eos_id
            if bool(ended.all()):
                break
        return Tokens(ids, up_to_end(ids, eos_id=self.shape.eos_id), told)

    def _next(
        self,
        last: Int[Tensor, " n"],
        told: Tensor | None,
        guidance: float,
        temperature: float,
        *,
        place: int,
        pasts: list[list[list[Tensor]]],
        rng: torch.Generator | None,
    ) -> Int[Tensor, " n"]:
        """One token for each row; the begin mark is never drawn, the end mark not at once."""
        logits = self.net.step(last, None, told, place=place, past=pasts[0]).log_softmax(-1)
        if guidance != 1.0:
            plain = self.net.step(last, None, None, place=place, past=pasts[1]).log_softmax(-1)
            logits = guided(plain, logits, guidance)
        logits[:, self.shape.bos_id] = -torch.inf
        if place == 0:
            logits[:, self.shape.eos_id] = -torch.inf
        return draw(logits, temperature=temperature, rng=rng)
