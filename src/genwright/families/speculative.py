"""Speculative decoding: a small net guesses several tokens, the large one reads them all at once.

Both nets draw the token of a place at the same uniform number of the stream's own generator, by the inverse of their
distribution functions. Where the guess is what the large net draws, it stands; at the first that is not, the large
net's own token stands in its place. So every token is one that plain decoding would have drawn, whatever the draft is
worth: only the speed depends on it. (Leviathan et al. 2023, arXiv:2211.17192, accept at random instead, which keeps the
distribution and not the tokens.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genwright.core import CapabilityError
from genwright.families.decoding import DecodedToken, Decoder, DecodeRequest, Matcher
from genwright.families.sampler import draw
from genwright.nets.net import TokenNet

NUM_GUESSES = 4


def check_draft(draft: TokenNet, /, *, net: TokenNet) -> None:
    """Passes where `draft` can guess for `net`.

    Raises:
        CapabilityError: they know other tokens, or one of them has no key-value cache that can be cut.
    """
    if draft.vocab_size != net.vocab_size:
        raise CapabilityError(
            f"the draft knows {draft.vocab_size:,} tokens and the model {net.vocab_size:,}",
            hint="a draft reads the same tokens",
        )
    for one in (net, draft):
        if not hasattr(one.new_cache(1, max_tokens=8), "extend"):
            raise CapabilityError("a net without a key-value cache of this house takes no part in it")


class SpeculativeDecoder(Decoder):
    """A decoder of `net` that `draft` hurries on by up to `num_guesses` tokens a step.

    `num_guessed` and `num_accepted` count the draft's tokens so far, and those that stood.
    """

    def __init__(
        self,
        net: TokenNet,
        *,
        draft: TokenNet,
        num_slots: int,
        context_tokens: int,
        grammars: Callable[[str], Matcher] | None = None,
        num_guesses: int = NUM_GUESSES,
    ) -> None:
        check_draft(draft, net=net)
        super().__init__(net, num_slots=num_slots, context_tokens=context_tokens, grammars=grammars)
        self._draft = draft.eval()
        self._guesses: Any = draft.new_cache(num_slots, max_tokens=context_tokens)
        self._uniforms: dict[int, list[Tensor]] = {}
        self._most_guesses = num_guesses
        self.num_guessed = self.num_accepted = 0

    def add(self, request: DecodeRequest) -> int:
        """Takes a stream in; both nets read its prompt."""
        slot = super().add(request)
        row = len(self._streams) - 1
        self._guesses.prefill(row, ids=self._streams[row].ids[:-1])
        self._uniforms[slot] = []
        return slot

    def _release(self, row: int) -> None:
        last = len(self._streams) - 1
        self._uniforms.pop(self._streams[row].slot, None)
        if row != last:
            self._guesses.move(last, target=row)
        super()._release(row)

    def _make_room(self) -> None:
        lengths = [self._cache.length(row) for row in range(len(self._streams))]
        super()._make_room()
        for row, before in enumerate(lengths):
            if self._cache.length(row) != before:
                self._guesses.prefill(row, ids=self._streams[row].ids[:-1])

    def step(self) -> list[DecodedToken]:
        """At least one token for every stream, those of one stream in order."""
        self._make_room()
        if not self._streams:
            return []
        cache: Any = self._cache
        lengths = [cache.length(row) for row in range(len(self._streams))]
        count = max(0, min(self._most_guesses, self._context_tokens - max(lengths) - 1))
        uniforms = self._next_uniforms(count + 1)
        guesses = self._guess(count, uniforms)
        logits = cache.extend(torch.cat([self._last(), guesses], dim=1))
        tokens = self._accept(logits, guesses, uniforms, lengths)
        finished = {token.slot for token in tokens if token.finished}
        for row in reversed(range(len(self._streams))):
            if self._streams[row].slot in finished:
                self._release(row)
        return sorted(tokens, key=lambda token: token.slot)

    def _last(self) -> Int[Tensor, "n 1"]:
        return torch.tensor([[stream.ids[-1]] for stream in self._streams], device=self._device)

    def _next_uniforms(self, count: int) -> Float[Tensor, "n m"]:
        """The next numbers of each stream's generator; what is not used now stands first the next time."""
        rows = []
        for stream in self._streams:
            held = self._uniforms[stream.slot]
            while len(held) < count:
                held.append(torch.rand(1, generator=stream.rng, dtype=torch.float64))
            rows.append(torch.cat(held[:count]))
        return torch.stack(rows).to(self._device)

    def _guess(self, count: int, uniforms: Tensor) -> Int[Tensor, "n m"]:
        """The draft's tokens. It reads the last one too, so that both caches hold the same afterwards."""
        last, found = self._last()[:, 0], []
        seen = self._seen[: len(self._streams)].clone()
        rows = torch.arange(len(last), device=self._device)
        for place in range(count + 1):
            logits = self._guesses.step(last)
            if place == count:
                break
            last = draw(logits, controls=self._settings(), seen=seen, uniforms=uniforms[:, place])
            seen[rows, last] = True
            found.append(last)
        return torch.stack(found, dim=1) if found else last.new_empty((len(last), 0))

    def _accept(
        self, logits: Float[Tensor, "n m v"], guesses: Tensor, uniforms: Tensor, lengths: list[int]
    ) -> list[DecodedToken]:
        """What the large net draws at each place, as long as what it read there was what it had drawn."""
        alive, cache = dict(enumerate(lengths)), cast("Any", self._cache)
        made: list[DecodedToken] = []
        seen = self._seen[: len(self._streams)]
        for place in range(logits.shape[1]):
            at = logits[:, place]
            drawn = draw(self._masked(at), controls=self._settings(), seen=seen, uniforms=uniforms[:, place]).tolist()
            log_probs = at.float().log_softmax(-1)
            for row in list(alive):
                cache.truncate(row, length=lengths[row] + place + 1)
                self._seen[row, drawn[row]] = True
                token = self._taken(row, drawn[row], log_probs[row])
                made.append(token)
                guessed = place < guesses.shape[1]
                right = guessed and int(guesses[row, place]) == drawn[row]
                self.num_guessed += int(guessed)
                self.num_accepted += int(right)
                if token.finished or not right:
                    self._settle(row, length=alive.pop(row) + place + 1, used=place + 1)
        for row, length in alive.items():
            self._settle(row, length=length + logits.shape[1], used=logits.shape[1])
        return made

    def _settle(self, row: int, *, length: int, used: int) -> None:
        """Both caches keep what stands: all but the newest token."""
        cast("Any", self._cache).truncate(row, length=length)
        self._guesses.truncate(row, length=length)
        held = self._uniforms[self._streams[row].slot]
        del held[:used]
