"""Markov chains of order one, interleaved: one per voice of a score, or one over a whole sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Given, Tokens, TokenShape
from genwright.families.markov_config import MarkovConfig
from genwright.families.requests import check_given, check_numbers, up_to_end

COLDEST = 1e-3  # at temperature 0 the likeliest token has all the chance but for rounding


class Markov:
    """p(x) = product over positions t of p(x_t | x_(t - stride)); the first `stride` positions have their own shares.

    Counts are smoothed towards the shares of single tokens (Chen & Goodman 1999, section 2.3). A chain over a fixed
    layout gives nothing to ids that its cells do not hold.
    """

    def __init__(self, config: MarkovConfig, *, shape: TokenShape) -> None:
        assert config.stride, "resolve() first"
        self.config, self.shape, self._stride = config, shape, config.stride
        size = shape.vocab_size
        self._first = torch.zeros(self._stride, size, dtype=torch.float64)
        self._next = torch.zeros(size, size, dtype=torch.float64)
        self._allowed = torch.zeros(self._length, size, dtype=torch.bool)
        for place, (first, count) in enumerate(shape.cells or ((0, size),) * self._length):
            self._allowed[place, first : first + count] = True

    @property
    def _length(self) -> int:
        return len(self.shape.cells) or self.shape.context_tokens + 1

    def fit(self, batches: Iterable[Tokens], *, rng: torch.Generator) -> None:
        """Transition counts, kept as they are; shares are made when they are asked for."""
        del rng
        for batch in batches:
            ids, counted = batch.ids, self._counted(batch)
            for place in range(self._stride):
                self._first[place] += torch.bincount(ids[:, place], minlength=self.shape.vocab_size)
            pairs = ids[:, : -self._stride] * self.shape.vocab_size + ids[:, self._stride :]
            found = torch.bincount(pairs[counted[:, self._stride :]], minlength=self._next.numel())
            self._next += found.view_as(self._next)

    def _counted(self, batch: Tokens) -> Tensor:
        return torch.ones_like(batch.ids, dtype=torch.bool) if batch.mask is None else batch.mask

    def state(self) -> Mapping[str, Tensor]:
        """The counts."""
        return {"first": self._first, "next": self._next}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """What `state` gave."""
        self._first, self._next = state["first"], state["next"]

    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood; of a sequence without a fixed layout, given its begin mark."""
        log_first, log_next = self._tables()
        ids = batch.ids
        each = torch.zeros(ids.shape, dtype=torch.float64)
        for place in range(ids.shape[1]):
            here = ids[:, place]
            if place < self._stride:
                each[:, place] = log_first[place, here]
            else:
                before = ids[:, place - self._stride]
                each[:, place] = self._step(log_next, place)[before, here]
        counted = self._counted(batch).clone()
        if not self.shape.cells:
            counted[:, 0] = False
        return Bound((each * counted).sum(1), "exact")

    def _tables(self) -> tuple[Float[Tensor, "s v"], Float[Tensor, "v v"]]:
        """Log-shares of the first positions, and smoothed transitions before any cell's limits."""
        alone = self._next.sum(0) + self._first.sum(0) + 0.5
        prior = self.config.smoothing * alone / alone.sum()
        first = self._first + prior
        if self.shape.cells:
            first = first.masked_fill(~self._allowed[: self._stride], 0.0)
        return (first / first.sum(1, keepdim=True)).log(), self._next + prior

    def _step(self, counts: Float[Tensor, "v v"], place: int) -> Float[Tensor, "v v"]:
        """Log-probabilities of what stands at a place, by what stands `stride` before it."""
        if not self.shape.cells:
            return (counts / counts.sum(1, keepdim=True)).log()
        allowed = counts.masked_fill(~self._allowed[place], 0.0)
        return (allowed / allowed.sum(1, keepdim=True)).log()

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
        """`n` sequences. Over a fixed layout given cells stay, and the others are drawn from their exact conditional.

        Raises:
            CapabilityError: a condition, a number of steps, or parts of a sequence of any length are asked for.
        """
        if cond is not None or guidance != 1.0 or steps is not None:
            raise CapabilityError("a Markov chain takes no condition and no steps", hint="use --given")
        check_numbers(n, steps=None, temperature=temperature)
        temperature = max(temperature, COLDEST)
        if not self.shape.cells:
            if given is not None:
                raise CapabilityError("parts of a sequence cannot be given to this chain", hint="leave --given out")
            return self._sequences(n, temperature, rng)
        ids = torch.zeros(n, self._length, dtype=torch.long)
        known = torch.zeros_like(ids, dtype=torch.bool)
        if given is not None:
            found = check_given(given, entries=(self._length,), n=n)
            ids, known = cast("Tokens", found.batch).ids.cpu().clone(), found.known.cpu()
        for chain in range(min(self._stride, self._length)):
            self._complete(ids, known, chain, temperature, rng)
        return Tokens(ids)

    def _complete(
        self, ids: Int[Tensor, "n t"], known: Tensor, chain: int, temperature: float, rng: torch.Generator | None
    ) -> None:
        """Draws one chain in place: messages from its end to its start, then draws onward.

        Source: forward filtering, backward sampling (Rabiner 1989, section III), with the directions exchanged.
        """
        log_first, counts = self._tables()
        places = range(chain, self._length, self._stride)
        tables = {place: self._step(counts, place) / temperature for place in places[1:]}
        ahead = torch.zeros(len(ids), self.shape.vocab_size, dtype=torch.float64)
        messages = {}
        for place in reversed(places):
            one = torch.zeros_like(ahead).scatter(1, ids[:, place, None], 1.0).bool()
            messages[place] = ahead.masked_fill(known[:, place, None] & ~one, -torch.inf)
            if place != chain:
                ahead = _sum_ahead(tables[place], messages[place])
        logits = log_first[chain].expand(len(ids), -1) / temperature
        for place in places:
            weights = (logits + messages[place]).softmax(1)
            ids[:, place] = torch.multinomial(weights, 1, generator=rng)[:, 0]
            if place + self._stride < self._length:
                logits = tables[place + self._stride][ids[:, place]]

    def _sequences(self, n: int, temperature: float, rng: torch.Generator | None) -> Tokens:
        _, counts = self._tables()
        table = self._step(counts, 0) / temperature
        table[:, self.shape.bos_id] = -torch.inf
        ids = torch.full((n, self._length), self.shape.eos_id)
        ids[:, : self._stride] = self.shape.bos_id
        for place in range(self._stride, self._length):
            drawn = torch.multinomial(table[ids[:, place - self._stride]].softmax(1), 1, generator=rng)[:, 0]
            ended = (ids[:, self._stride : place] == self.shape.eos_id).any(1)
            ids[:, place] = torch.where(ended, self.shape.eos_id, drawn)
        return Tokens(ids, up_to_end(ids, eos_id=self.shape.eos_id))


def _sum_ahead(table: Float[Tensor, "v v"], message: Float[Tensor, "n v"]) -> Float[Tensor, "n v"]:
    """log of the sum over j of exp(table[i, j] + message[:, j])."""
    largest = message.max(1, keepdim=True).values
    total: Tensor = (message - largest).exp() @ table.exp().T
    return total.clamp_min(1e-300).log() + largest
