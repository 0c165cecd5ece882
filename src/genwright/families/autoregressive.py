"""Next-token prediction: the loss, the exact likelihood and the sampler over one causal net."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from genwright.core import CapabilityError, component
from genwright.core.protocols import Bound, Clock, Tokens, TokenShape
from genwright.families.any_order import AnyOrder
from genwright.families.config import AutoregressiveConfig, SamplingConfig
from genwright.families.decoding import Decoder, DecodeRequest
from genwright.nets.net import NetLoss, TokenNet


def build(config: AutoregressiveConfig, *, shape: TokenShape) -> nn.Module:
    """The family for that shape: next-token prediction, or any order over a fixed layout of cells."""
    return AnyOrder(config, shape=shape) if shape.cells else Autoregressive(config, shape=shape)


class Autoregressive(nn.Module):
    """p(x) as the product of p(x_t | x_<t), given the first token of each sequence (the begin mark)."""

    def __init__(self, config: AutoregressiveConfig, *, shape: TokenShape) -> None:
        super().__init__()
        self.config = config
        self.shape = shape
        net = component("nets", config.net.kind)
        self.net = cast("TokenNet", net.load()(config.net, vocab_size=shape.vocab_size))

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: the net."""
        return {"net": list(self.net.parameters())}

    def compile_blocks(self) -> None:
        """Compiles in place what gains by it."""
        self.net.compile_blocks()

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Mean nats per token, plus what the net adds (the experts' balance)."""
        del clock
        weights = None if batch.mask is None else batch.mask[:, 1:].float()
        out: NetLoss = self.net(batch.ids[:, :-1], batch.ids[:, 1:], weights)
        yield "net", out.nll + out.auxiliary, {"loss": out.nll.detach()}

    def token_log_prob(self, batch: Tokens) -> Tensor:
        """Log-probability (nats) of every token after the first, (b, t - 1); 0 where the mask is false."""
        log_prob = -self.net.token_nll(batch.ids[:, :-1], batch.ids[:, 1:])
        return log_prob if batch.mask is None else log_prob * batch.mask[:, 1:]

    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each sequence given its first token."""
        return Bound(self.token_log_prob(batch).double().sum(-1), "exact")

    def decoder(self, num_slots: int) -> Decoder:
        """A decoder with that many slots and this model's context."""
        return Decoder(self.net, num_slots=num_slots, context_tokens=self.shape.context_tokens)

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
    ) -> list[list[int]]:
        """`n` continuations of `given` (token ids; the begin mark where it is None), at most `steps` tokens each.

        Raises:
            CapabilityError: `cond` or `guidance` is given; this family has no condition apart from `given`.
        """
        if cond is not None or guidance != 1.0:
            raise CapabilityError("this family takes no cond and no guidance", hint="pass the condition as given")
        prompt = tuple(given) if given is not None else (self.shape.bos_id,)
        seeds = torch.randint(0, 2**62, (n,), generator=rng)
        decoder = self.decoder(n)
        out: dict[int, list[int]] = {}
        for seed in seeds.tolist():
            request = DecodeRequest(
                prompt_ids=prompt,
                max_new_tokens=steps or self.shape.context_tokens,
                sampling=SamplingConfig(temperature=temperature),
                seed=seed,
                stop_ids=frozenset({self.shape.eos_id}),
            )
            out[decoder.add(request)] = []
        while tokens := decoder.step():
            for token in tokens:
                if token.finished != "stop":
                    out[token.slot].append(token.token_id)
        return list(out.values())
