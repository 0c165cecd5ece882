"""An n-gram model over sequences of tokens: counted in one pass, with an exact likelihood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genwright.core import CapabilityError
from genwright.core.protocols import Bound, Tokens, TokenShape
from genwright.families.ngram_config import NgramConfig
from genwright.families.requests import check_numbers, known_starts, up_to_end

TOKENS_AT_ONCE = 1 << 20  # that are sorted together


class Ngram:
    """p(x_t | the order - 1 tokens before), interpolated with that of one token fewer, down to
    evenly all tokens but the begin mark.

    p_k(w | c) = (n(c w) + t(c) p_{k-1}(w | c')) / (n(c) + t(c)), where t(c) is how many different tokens follow c in
    the train split, and c' is c without its first token. Before a sequence stand begin marks. Source: Witten & Bell
    1991, method C.
    """

    def __init__(self, config: NgramConfig, *, shape: TokenShape) -> None:
        if shape.cells:
            raise CapabilityError("family 'ngram' works on sequences, not on a fixed layout", hint="use latent-class")
        self.config, self.shape = config, shape
        # Per length k: the numbers of all k-grams seen, sorted, and how often each was.
        self._grams = [torch.zeros(0, dtype=torch.long) for _ in range(config.order)]
        self._counts = [torch.zeros(0, dtype=torch.long) for _ in range(config.order)]

    def fit(self, batches: Iterable[Tokens], *, rng: torch.Generator) -> None:
        """Counts the n-grams of every length up to the order."""
        del rng
        waiting: list[list[Tensor]] = [[] for _ in range(self.config.order)]
        held = 0
        for batch in batches:
            for k, numbers in enumerate(waiting):
                numbers.append(self._numbers(batch.ids, k + 1)[_counted(batch)])
            held += len(waiting[0][-1])
            if held >= TOKENS_AT_ONCE:
                self._add(waiting)
                held = 0
        self._add(waiting)

    def _add(self, waiting: list[list[Tensor]]) -> None:
        """Counts what waits, and empties it."""
        for k, numbers in enumerate(waiting):
            both = torch.cat((self._grams[k], *numbers))
            weights = torch.cat((self._counts[k], *(torch.ones_like(one) for one in numbers)))
            self._grams[k], place = torch.unique(both, return_inverse=True)
            self._counts[k] = torch.zeros_like(self._grams[k]).index_add_(0, place, weights)
            numbers.clear()

    def state(self) -> Mapping[str, Tensor]:
        """Numbers and counts of each length."""
        pairs = enumerate(zip(self._grams, self._counts, strict=True), start=1)
        return {
            f"{name}.{k}": value for k, pair in pairs for name, value in zip(("grams", "counts"), pair, strict=True)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """What `state` gave."""
        lengths = range(1, self.config.order + 1)
        self._grams, self._counts = ([state[f"{name}.{k}"].cpu() for k in lengths] for name in ("grams", "counts"))

    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each sequence given its first token."""
        ids = batch.ids.cpu()
        chance = torch.full(ids[:, 1:].shape, 1.0 / (self.shape.vocab_size - 1), dtype=torch.float64)
        for k in range(self.config.order):
            numbers = self._numbers(ids, k + 1)
            counts, total, kinds = self._looked_up(numbers, k)
            chance = torch.where(total > 0, (counts + kinds * chance) / (total + kinds).clamp_min(1), chance)
        return Bound((chance.log() * _counted(Tokens(ids, batch.mask))).sum(1), "exact")

    def _numbers(self, ids: Int[Tensor, "b t"], k: int) -> Int[Tensor, "b u"]:
        """The number of the `k` tokens up to each position but the first, in the base of the vocabulary."""
        before = torch.full((len(ids), max(0, k - 2)), self.shape.bos_id)
        padded = torch.cat((before, ids.cpu()), dim=1)
        size = ids.shape[1] - 1
        end = padded.shape[1]
        number = torch.zeros((len(ids), size), dtype=torch.long)
        for back in range(k - 1, -1, -1):
            number = number * self.shape.vocab_size + padded[:, end - back - size : end - back]
        return number

    def _looked_up(self, numbers: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """How often each gram was seen, how often its context, and how many different tokens followed that."""
        grams, counts = self._grams[k], self._counts[k]
        place = torch.searchsorted(grams, numbers).clamp_max(max(0, len(grams) - 1))
        seen = torch.where(grams[place] == numbers, counts[place], 0)
        first, last = self._followers(numbers // self.shape.vocab_size, k)
        cumulated = torch.cat((torch.zeros(1, dtype=torch.long), counts.cumsum(0)))
        return seen, cumulated[last] - cumulated[first], last - first

    def _followers(self, contexts: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Where the grams that begin with each context start and end."""
        size = self.shape.vocab_size
        start = torch.searchsorted(self._grams[k], contexts * size)
        return start, torch.searchsorted(self._grams[k], contexts * size + size)

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
        """`n` sequences of at most `steps` tokens after what is given: the begin mark, or the known start of each row.

        Raises:
            CapabilityError: arguments that do not fit, or what is known of a row is not its start.
        """
        check_numbers(n, steps=steps, temperature=temperature)
        if cond is not None or guidance != 1.0:
            raise CapabilityError("an n-gram model takes no condition", hint="use --given")
        told, starts = known_starts(given, n=n, bos_id=self.shape.bos_id, device=torch.device("cpu"))
        ids = told[:, :1]
        ended = torch.zeros(n, dtype=torch.bool)
        for place in range(1, int(starts.max()) + (steps or self.shape.context_tokens) if n else 1):
            chance = self._chances(ids) ** (1.0 / temperature) if temperature else self._chances(ids)
            drawn = torch.multinomial(chance, 1, generator=rng)[:, 0] if temperature else chance.argmax(1)
            known = place < starts
            token = torch.where(known, told[:, min(place, told.shape[1] - 1)], drawn)
            ids = torch.cat((ids, torch.where(ended, self.shape.eos_id, token)[:, None]), dim=1)
            ended |= ids[:, -1] == self.shape.eos_id
            if bool(ended.all()):
                break
        return Tokens(ids, up_to_end(ids, eos_id=self.shape.eos_id))

    def _chances(self, ids: Int[Tensor, "n t"]) -> Float[Tensor, "n v"]:
        """The probability of every token as the next one; of the begin mark none."""
        n, size = len(ids), self.shape.vocab_size
        chance = torch.full((n, size), 1.0 / (size - 1), dtype=torch.float64)
        chance[:, self.shape.bos_id] = 0.0
        tail = torch.cat((torch.full((n, self.config.order), self.shape.bos_id), ids), dim=1)
        for k in range(self.config.order):
            context = torch.zeros(n, dtype=torch.long)
            for back in range(k, 0, -1):
                context = context * size + tail[:, -back]
            first, last = self._followers(context, k)
            rows = torch.repeat_interleave(torch.arange(n), last - first)
            before = (last - first).cumsum(0) - (last - first)
            places = first[rows] + torch.arange(len(rows)) - before[rows]
            counts = torch.zeros((n, size), dtype=torch.float64)
            counts[rows, self._grams[k][places] % size] = self._counts[k][places].double()
            total, kinds = counts.sum(1, keepdim=True), (last - first)[:, None]
            chance = torch.where(total > 0, (counts + kinds * chance) / (total + kinds).clamp_min(1), chance)
        return chance


def _counted(batch: Tokens) -> Tensor:
    """Which tokens after the first count."""
    return torch.ones_like(batch.ids[:, 1:], dtype=torch.bool) if batch.mask is None else batch.mask[:, 1:].cpu()
