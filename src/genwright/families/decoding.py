"""Many streams of tokens side by side: each joins when it comes, steps with the others and leaves when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from genwright.core import CapabilityError, GenwrightError
from genwright.families.config import SamplingConfig
from genwright.families.sampler import Controls, controls_for, draw
from genwright.nets.net import TokenNet

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class DecodeRequest:
    """What one stream asks for.

    `prompt_ids` starts with the codec's begin mark. `overflow` says what happens when prompt and continuation outgrow
    the context: drop the oldest half and go on, or finish with "length". `whole` says that nobody reads before the
    end, so an engine may hand out all tokens at once; without `with_logprobs` it may leave log-probabilities out (NaN).
    `json_schema` is what the text has to fit. No stop id is among the first `min_new_tokens`, where nets of this house
    draw them.
    """

    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    seed: int = 0
    stop_ids: frozenset[int] = frozenset()
    num_top_logprobs: int = 0
    overflow: Literal["slide", "stop"] = "slide"
    whole: bool = False
    with_logprobs: bool = True
    json_schema: str | None = None
    min_new_tokens: int = 0


@dataclass(frozen=True)
class DecodedToken:
    """One new token of one slot. Log-probabilities are the model's own (before temperature), natural logarithm."""

    slot: int
    token_id: int
    logprob: float
    top_logprobs: tuple[tuple[int, float], ...] = ()
    finished: FinishReason | None = None


@dataclass(frozen=True)
class LostStream:
    """A stream that broke off, and why; it has left."""

    slot: int
    error: GenwrightError


@runtime_checkable
class TokenDecoder(Protocol):
    """What steps many streams at once."""

    @property
    def num_free(self) -> int:
        """How many more streams may join now."""

    def add(self, request: DecodeRequest, /) -> int:
        """Takes a stream in; the returned slot number is never used again."""

    def free(self, slot: int, /) -> None:
        """Lets a stream go; nothing happens where it is gone already."""

    def step(self) -> Sequence[DecodedToken | LostStream]:
        """New tokens, those of one stream in order; there may be none yet."""


def check_room(request: DecodeRequest, decoder: TokenDecoder, /, *, num_slots: int, context_tokens: int) -> None:
    """Passes where an engine with a fixed context can take a stream in.

    Raises:
        CapabilityError: all slots are taken, or the prompt is empty or fills the context.
    """
    if not decoder.num_free:
        raise CapabilityError(f"all {num_slots} slots are taken", hint="free one, or ask for more slots")
    size = len(request.prompt_ids)
    if not 0 < size < context_tokens or request.max_new_tokens < 1:
        raise CapabilityError(
            f"the prompt has {size} tokens; the context holds {context_tokens}, and one must stay free",
            hint="shorten the prompt",
        )


@runtime_checkable
class Matcher(Protocol):
    """What a text may go on with."""

    @property
    def done(self) -> bool:
        """Whether nothing may follow."""

    def allowed(self) -> Tensor:
        """Which tokens may come next, (v) of booleans."""

    def accept(self, token: int, /) -> None:
        """Moves on by a token."""


@dataclass
class _Stream:
    slot: int
    request: DecodeRequest
    rng: torch.Generator
    ids: list[int]
    matcher: Matcher | None = None
    num_new: int = 0


class Decoder:
    """Continuous batching over one net. A stream's tokens follow from its own request and seed, not from its company.

    The batch size picks the CPU kernels, so log-probabilities may differ in their last bits with the company;
    a draw could change only where its uniform number falls within that rounding of a boundary.
    """

    def __init__(
        self,
        net: TokenNet,
        *,
        num_slots: int,
        context_tokens: int,
        grammars: Callable[[str], Matcher] | None = None,
    ) -> None:
        self._grammars = grammars
        self._net = net.eval()
        self._cache = net.new_cache(num_slots, max_tokens=context_tokens)
        self._bounded = self._cache.bounded
        self._context_tokens = context_tokens
        self._num_slots = num_slots
        self._streams: list[_Stream] = []  # the stream in row i of the cache
        self._seen = torch.zeros(num_slots, net.vocab_size, dtype=torch.bool, device=self._device)
        self._controls: Controls | None = None
        self._next_slot = 0

    @property
    def _device(self) -> torch.device:
        return next(self._net.parameters()).device

    @property
    def num_free(self) -> int:
        """How many more streams may join now."""
        return self._num_slots - len(self._streams)

    def add(self, request: DecodeRequest) -> int:
        """Takes a stream in and reads its prompt; the returned slot number is never used again.

        Raises:
            CapabilityError: all slots are taken, the prompt is empty, or it holds an unknown token.
        """
        self._check(request)
        matcher = self._grammars(request.json_schema) if self._grammars and request.json_schema else None
        row = len(self._streams)
        ids = list(request.prompt_ids)
        if self._bounded and len(ids) > self._context_tokens:
            ids = ids[-self._kept() :]
        self._cache.prefill(row, ids=ids[:-1])
        self._seen[row] = False
        self._seen[row, torch.tensor(request.prompt_ids)] = True
        rng = torch.Generator().manual_seed(request.seed & 0x7FFFFFFFFFFFFFFF)
        self._streams.append(_Stream(self._next_slot, request, rng, ids, matcher))
        self._controls = None
        self._next_slot += 1
        return self._next_slot - 1

    def _check(self, request: DecodeRequest) -> None:
        if not self.num_free:
            raise CapabilityError(f"all {self._num_slots} slots are taken", hint="free one, or ask for more slots")
        if not request.prompt_ids or request.max_new_tokens < 1:
            raise CapabilityError("a request needs at least one prompt token and max_new_tokens >= 1")
        if not 0 <= min(request.prompt_ids) <= max(request.prompt_ids) < self._net.vocab_size:
            raise CapabilityError(f"a prompt token is outside 0..{self._net.vocab_size - 1}")
        if request.json_schema and self._grammars is None:
            raise CapabilityError("this decoder enforces no schema", hint="leave json_schema out")

    def _kept(self) -> int:
        return max(1, self._context_tokens // 2)

    def free(self, slot: int) -> None:
        """Lets a stream go; nothing happens where it is gone already."""
        for row, stream in enumerate(self._streams):
            if stream.slot == slot:
                self._release(row)
                return

    def _release(self, row: int) -> None:
        last = len(self._streams) - 1
        if row != last:
            self._cache.move(last, target=row)
            self._seen[row] = self._seen[last]
            self._streams[row] = self._streams[last]
        self._streams.pop()
        self._controls = None

    def step(self) -> list[DecodedToken]:
        """One token for every stream, in slot order. A finished stream has left when this returns."""
        self._make_room()
        if not self._streams:
            return []
        last = torch.tensor([stream.ids[-1] for stream in self._streams], device=self._device)
        logits = self._cache.step(last)
        drawn = self._draw(self._masked(logits))
        tokens = self._report(logits, drawn)
        for row in reversed(range(len(self._streams))):
            if tokens[row].finished:
                self._release(row)
        return sorted(tokens, key=lambda token: token.slot)

    def _make_room(self) -> None:
        if not self._bounded:
            return
        for row, stream in enumerate(self._streams):
            if self._cache.length(row) >= self._context_tokens:
                stream.ids = stream.ids[-self._kept() :]
                self._cache.prefill(row, ids=stream.ids[:-1])

    def _masked(self, logits: Float[Tensor, "n v"]) -> Float[Tensor, "n v"]:
        """Logits of what a stream's grammar forbids, and of an end that comes too early, at minus infinity."""
        matchers = [(row, stream.matcher) for row, stream in enumerate(self._streams)]
        bound = [(row, one) for row, one in matchers if one is not None and not one.done]
        early = [
            (row, one.request) for row, one in enumerate(self._streams) if one.num_new < one.request.min_new_tokens
        ]
        if not (bound or early):
            return logits
        logits = logits.clone()
        for row, matcher in bound:
            logits[row, ~matcher.allowed().to(logits.device)] = -torch.inf
        for row, request in early:
            logits[row, list(request.stop_ids)] = -torch.inf
        return logits

    def _settings(self) -> Controls:
        if self._controls is None:
            asked = [stream.request.sampling for stream in self._streams]
            self._controls = controls_for(asked, vocab_size=self._net.vocab_size, device=self._device)
        return self._controls

    def _draw(self, logits: Float[Tensor, "n v"]) -> list[int]:
        uniforms = torch.cat([torch.rand(1, generator=s.rng, dtype=torch.float64) for s in self._streams])
        seen = self._seen[: len(self._streams)]
        ids = draw(logits, controls=self._settings(), seen=seen, uniforms=uniforms.to(self._device))
        seen[torch.arange(len(ids), device=ids.device), ids] = True
        drawn: list[int] = ids.tolist()
        return drawn

    def _report(self, logits: Float[Tensor, "n v"], drawn: list[int]) -> list[DecodedToken]:
        log_probs = logits.float().log_softmax(-1)
        return [self._taken(row, token, log_probs[row]) for row, token in enumerate(drawn)]

    def _taken(self, row: int, token: int, log_probs: Float[Tensor, " v"]) -> DecodedToken:
        """The stream goes on by a token."""
        stream = self._streams[row]
        stream.ids.append(token)
        stream.num_new += 1
        if stream.matcher is not None:
            stream.matcher.accept(token)
        top = _top(log_probs, stream.request.num_top_logprobs)
        return DecodedToken(stream.slot, token, float(log_probs[token]), top, self._finish(stream, row=row))

    def _finish(self, stream: _Stream, *, row: int) -> FinishReason | None:
        request = stream.request
        if stream.ids[-1] in request.stop_ids or (stream.matcher is not None and stream.matcher.done):
            return "stop"
        full = self._bounded and self._cache.length(row) >= self._context_tokens and request.overflow == "stop"
        return "length" if full or stream.num_new >= request.max_new_tokens else None


def _top(log_probs: Float[Tensor, " v"], count: int) -> tuple[tuple[int, float], ...]:
    if not count:
        return ()
    values, ids = log_probs.topk(min(count, len(log_probs)))
    return tuple(zip(ids.tolist(), values.tolist(), strict=True))


def stream(decoder: TokenDecoder, /, *, request: DecodeRequest) -> Iterator[DecodedToken]:
    """The tokens of one request as they are drawn; leaving the iterator early frees the slot."""
    slot = decoder.add(request)
    try:
        while True:
            for token in decoder.step():
                if isinstance(token, LostStream):
                    raise token.error
                yield token
                if token.finished:
                    return
    finally:
        decoder.free(slot)
