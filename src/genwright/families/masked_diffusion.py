"""Masked diffusion over tokens: learn to fill in any set of masked tokens, sample by filling in some at a time.

Source: MDLM, arXiv:2406.07524; as in its section 3.2.3 masks are never predicted, and what is known stays.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genwright.core import component
from genwright.core.protocols import Bound, Clock, Tokens, TokenShape
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.lengths import mean_state, relative_tokens
from genwright.families.requests import (
    asked,
    check_given,
    draw,
    guided,
    uniform,
    up_to_end,
)
from genwright.families.windows import Windows
from genwright.nets.plain import is_plain


@dataclass(frozen=True)
class _Rows:
    """Sequences as the net sees them. `free` may be masked, `seen` may be looked at (all where it is None).

    `window` is the place of each row's window among all, where they have one.
    """

    ids: Int[Tensor, "b t"]
    free: Bool[Tensor, "b t"]
    seen: Bool[Tensor, "b t"] | None
    cond: Float[Tensor, "b k"] | None
    window: Int[Tensor, " b"] | None = None


class MaskedDiffusion(nn.Module):
    """p(x) by filling in masked tokens, in any order.

    A fixed layout is modelled whole. Other sequences begin with a token that is given. Those that come with a mask lie
    in windows: the end marks that fill a sequence up to its window are modelled like other tokens, so that samples have
    lengths. In private training all lie in the largest window, and nothing is counted.
    """

    takes_rows_by_length = True
    allowed: Tensor

    def __init__(self, config: DiffusionConfig, *, shape: TokenShape) -> None:
        super().__init__()
        assert config.net and config.steps, "resolve() first"
        self.config, self.shape = config, shape
        self.mask_id = shape.vocab_size
        self.length = len(shape.cells) or shape.context_tokens + 1
        self.net: Any = component("nets", config.net.kind).load()(config.net, shape=shape)
        allowed = torch.zeros(len(shape.cells), shape.vocab_size + 1, dtype=torch.bool)
        for place, (first, count) in enumerate(shape.cells):
            allowed[place, first : first + count] = True
        self.register_buffer("allowed", allowed, persistent=False)
        self.windows = None if shape.cells else Windows(self.length)

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: the net."""
        return {"net": list(self.parameters())}

    def compile_blocks(self) -> None:
        """Compiles in place what gains by it."""
        self.net.compile_blocks()

    # --- training and likelihood ---------------------------------------------------------------------------------

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Nats per token at numbers of masked tokens that are spread evenly over the batch: the bound, where
        `least_masked` is 0."""
        del clock
        if self.windows is not None and batch.mask is not None:
            self.windows.only_largest() if is_plain() else self.windows.count(batch.mask)
        rows = self._rows(batch)
        count = len(rows.ids)
        device = rows.ids.device
        share = (torch.randperm(count, device=device) + torch.rand(count, device=device)) / count
        share = self.config.least_masked + (1.0 - self.config.least_masked) * share
        nats = self._nats(rows, share, torch.rand(rows.ids.shape, device=device))
        loss = nats.sum() / rows.free.sum() * relative_tokens(batch, rows.free.float())
        yield "net", loss, {"loss": loss.detach()}

    @torch.no_grad()
    def held_out_nats(self, batch: Tokens) -> Tensor:
        """The bound of each row by one number of masked tokens, spread evenly over the rows; always the same."""
        rng = torch.Generator().manual_seed(0)
        rows = self._rows(batch)
        count, device = len(rows.ids), rows.ids.device
        share = (torch.arange(count, device=device) + 0.5) / max(count, 1)
        return self._nats(rows, share, uniform(rows.ids.shape, rng=rng, device=device)) + self._window_nats(rows)

    @torch.no_grad()
    def log_prob(self, batch: Tokens) -> Bound:
        """The bound averaged over `likelihood_points` evenly spread numbers of masked tokens; the same at every call.

        Of sequences without a fixed layout it is given the first token, as in a causal model.
        """
        rng = torch.Generator().manual_seed(0)
        rows = self._rows(batch)
        count, device, points = len(rows.ids), rows.ids.device, self.config.likelihood_points
        total = torch.zeros(count, dtype=torch.float64, device=device)
        shift = uniform((count,), rng=rng, device=device)
        for point in range(points):
            share = (point + shift) / points
            total += self._nats(rows, share, uniform(rows.ids.shape, rng=rng, device=device)).double()
        return Bound(-total / points - self._window_nats(rows), "lower")

    @torch.no_grad()
    def embed(self, batch: Tokens) -> Float[Tensor, "b d"]:
        """The net's last hidden states where nothing is masked, averaged over the tokens of each sequence."""
        rows = self._rows(batch)
        hidden = self.net(rows.ids, rows.cond, rows.seen)
        if batch.mask is None:
            return mean_state(hidden, None)
        wider = max(0, hidden.shape[1] - batch.mask.shape[1])
        return mean_state(hidden, functional.pad(batch.mask, (0, wider))[:, : hidden.shape[1]])

    def _nats(self, rows: _Rows, share: Float[Tensor, " b"], keys: Float[Tensor, "b t"]) -> Float[Tensor, " b"]:
        """T / k x the nats of k masked tokens out of T, k - 1 being the given share of T.

        With k uniform its mean is the bound in continuous time: a binomial number of masks weighted by 1 / t is a
        uniform one weighted by 1 / k. Source: arXiv:2406.07524, equation 10; arXiv:2110.02037, equation 5.
        """
        total = rows.free.sum(1)
        masked_count = torch.minimum((share * total).long() + 1, total)
        rank = keys.masked_fill(~rows.free, 2.0).argsort(1).argsort(1)
        masked = (rank < masked_count[:, None]) & rows.free
        hidden = self.net(rows.ids.masked_fill(masked, self.mask_id), rows.cond, rows.seen)
        if is_plain():  # there, shapes must not depend on which tokens are masked
            return (self._nats_everywhere(hidden, rows.ids) * masked).sum(1) * total / masked_count.clamp_min(1)
        row, place = masked.nonzero(as_tuple=True)
        logits = self._logits(hidden[row, place], place)
        nats = functional.cross_entropy(logits, rows.ids[row, place], reduction="none")
        summed = torch.zeros(len(total), device=nats.device).index_add(0, row, nats)
        return summed * total / masked_count.clamp_min(1)

    def _nats_everywhere(self, hidden: Float[Tensor, "b t d"], ids: Int[Tensor, "b t"]) -> Float[Tensor, "b t"]:
        place = torch.arange(ids.shape[1], device=ids.device).repeat(len(ids))
        logits = self._logits(hidden.flatten(0, 1), place)
        return functional.cross_entropy(logits, ids.flatten(), reduction="none").view(ids.shape)

    def _logits(self, hidden: Float[Tensor, "m d"], place: Int[Tensor, " m"]) -> Float[Tensor, "m v"]:
        """Float32 logits at those positions: of the mask never, of a fixed layout only what the position may hold."""
        logits: Tensor = self.net.head(hidden).float()
        if self.shape.cells:
            return logits.masked_fill(~self.allowed[place], -torch.inf)
        return logits.index_fill(-1, torch.tensor([self.mask_id], device=logits.device), -torch.inf)

    def _rows(self, batch: Tokens) -> _Rows:
        cond = batch.cond if self.shape.cond_size else None
        if self.shape.cells:
            return _Rows(batch.ids, torch.ones_like(batch.ids, dtype=torch.bool), None, cond)
        ids, seen, window = batch.ids, batch.mask, None
        if seen is not None and self.windows is not None and self.windows.used:
            window = None if is_plain() else self.windows.of(seen)
            ids, seen = self._filled_up(torch.where(seen, ids, self.shape.eos_id), window)
        free = torch.ones_like(ids, dtype=torch.bool) if seen is None else seen.clone()
        free[:, 0] = False
        return _Rows(ids, free, seen, cond, window)

    def _filled_up(
        self, ids: Int[Tensor, "b t"], window: Int[Tensor, " b"] | None
    ) -> tuple[Tensor, Bool[Tensor, "b t"] | None]:
        """Rows to the end of their windows, or to the model's length; what is in no window is not seen."""
        ends = None if window is None or self.windows is None else self.windows.ends(window)
        widest = self.length if ends is None or not len(ends) else int(ends.max())
        ids = functional.pad(ids[:, :widest], (0, max(0, widest - ids.shape[1])), value=self.shape.eos_id)
        if ends is None or bool((ends == widest).all()):
            return ids, None
        return ids, torch.arange(widest, device=ids.device) < ends[:, None]

    def _window_nats(self, rows: _Rows) -> Float[Tensor, " b"] | float:
        return 0.0 if rows.window is None or self.windows is None else self.windows.nats(rows.window)

    # --- sampling ------------------------------------------------------------------------------------------------

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
        """`n` sequences, or completions of `given` wherever tokens are unknown.

        Positions are filled in a random order, evenly over `steps`. As many steps as positions fill in one at a time,
        which is exact, and the default for a fixed layout. Source: arXiv:2406.07524, section 4.1. A window is drawn
        before, of those that leave room behind what is given.

        Raises:
            CapabilityError: arguments that do not fit.
        """
        device = self.allowed.device
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=device, guides=True
        )
        ids, known = self._start(n, given, device)
        ends = torch.full((n,), ids.shape[1], device=device)
        if self.windows is not None and self.windows.used:
            ends = self.windows.ends(self.windows.draw(known, rng=rng))
        for end in sorted(set(ends.tolist())):
            rows = (ends == end).nonzero()[:, 0]
            cond_of = None if told is None else told[rows]
            ids[rows, :end] = self._fill(
                ids[rows, :end], known[rows, :end], cond_of, guidance, steps=steps, temperature=temperature, rng=rng
            )
            ids[rows, end:] = self.shape.eos_id
        return Tokens(ids, self._lengths(ids), told)

    def _fill(
        self,
        ids: Int[Tensor, "b t"],
        known: Bool[Tensor, "b t"],
        cond: Tensor | None,
        guidance: float,
        *,
        steps: int | None,
        temperature: float,
        rng: torch.Generator | None,
    ) -> Int[Tensor, "b t"]:
        """The rows with what is unknown filled in."""
        keys = uniform(ids.shape, rng=rng, device=ids.device).masked_fill(known, 2.0)
        rank, unknown = keys.argsort(1).argsort(1), (~known).sum(1)
        most = int(unknown.max()) if len(ids) else 0
        turns = min(most, steps or (most if self.shape.cells else cast("int", self.config.steps)))
        for turn in range(turns):
            low, high = (unknown * at // turns for at in (turn, turn + 1))
            now = (rank >= low[:, None]) & (rank < high[:, None]) & ~known
            row, place = now.nonzero(as_tuple=True)
            logits = self._guided(ids, cond, guidance, row, place)
            ids[row, place] = draw(logits, temperature=temperature, rng=rng)
        return ids

    def _guided(self, ids: Tensor, cond: Tensor | None, guidance: float, row: Tensor, place: Tensor) -> Tensor:
        """Log-probabilities at those places, under the condition."""
        told = self._logits(self.net(ids, cond)[row, place], place).log_softmax(-1)
        if guidance == 1.0:
            return told
        untold = self._logits(self.net(ids, None)[row, place], place).log_softmax(-1)
        return guided(untold, told, guidance)

    def _start(self, n: int, given: Any, device: torch.device) -> tuple[Tensor, Tensor]:
        """Masks where nothing is known, and what is known."""
        ids = torch.full((n, self.length), self.mask_id, device=device)
        known = torch.zeros_like(ids, dtype=torch.bool)
        if not self.shape.cells:
            ids[:, 0], known[:, 0] = self.shape.bos_id, True
        if given is not None:
            values = getattr(getattr(given, "batch", None), "ids", ids)
            short = 0 if self.shape.cells or values.ndim != 2 else max(0, self.length - values.shape[1])
            found = check_given(given, entries=(self.length - short,), n=n)
            filled = functional.pad(cast("Tokens", found.batch).ids.to(device), (0, short))
            told = functional.pad(found.known.to(device), (0, short))
            ids, known = torch.where(told, filled, ids), known | told
        return ids, known

    def _lengths(self, ids: Tensor) -> Tensor | None:
        """Marks all up to and with the first end mark after the first token."""
        if self.shape.cells:
            return None
        return up_to_end(ids, eos_id=self.shape.eos_id)
