"""Next-token prediction: the loss, the exact likelihood and the sampler over one causal net."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from genwright.core import CapabilityError, component
from genwright.core.protocols import Bound, Clock, Tokens, TokenShape
from genwright.families.any_order import AnyOrder
from genwright.families.conditioned import ConditionedSequences
from genwright.families.config import AutoregressiveConfig, SamplingConfig
from genwright.families.decoding import Decoder, DecodeRequest, Matcher
from genwright.families.in_order import InOrder
from genwright.families.lengths import mean_state, relative_tokens
from genwright.families.requests import known_starts
from genwright.families.tree_orders import TreeOrders
from genwright.nets.net import NetLoss, TokenNet


def build(config: AutoregressiveConfig, *, shape: TokenShape) -> nn.Module | TreeOrders:
    """The family for that shape: next-token prediction, or over a fixed layout of cells any order or its own."""
    if config.trees:
        return TreeOrders(config, shape=shape)
    if not shape.cells:
        return (ConditionedSequences if shape.cond_size else Autoregressive)(config, shape=shape)
    return (InOrder if config.order == "layout" else AnyOrder)(config, shape=shape)


class Autoregressive(nn.Module):
    """p(x) as the product of p(x_t | x_<t), given the first token of each sequence (the begin mark)."""

    takes_rows_by_length = True

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
        """Mean nats per token of all rows, plus what the net adds (the experts' balance)."""
        del clock
        weights = None if batch.mask is None else batch.mask[:, 1:].float()
        out: NetLoss = self.net(batch.ids[:, :-1], batch.ids[:, 1:], weights)
        loss = out.nll if weights is None else out.nll * relative_tokens(batch, weights)
        yield "net", loss + out.auxiliary, {"loss": out.nll.detach()}

    def token_log_prob(self, batch: Tokens) -> Tensor:
        """Log-probability (nats) of every token after the first, (b, t - 1); 0 where the mask is false."""
        counted = None if batch.mask is None else batch.mask[:, 1:]
        return -self.net.token_nll(batch.ids[:, :-1], batch.ids[:, 1:], counted)

    def log_prob(self, batch: Tokens) -> Bound:
        """The exact log-likelihood of each sequence given its first token."""
        return Bound(self.token_log_prob(batch).double().sum(-1), "exact")

    @torch.no_grad()
    def embed(self, batch: Tokens) -> Tensor:
        """The net's last hidden states, averaged over the tokens of each sequence, (b, d)."""
        hidden, _ = self.net.features(batch.ids)
        return mean_state(hidden, batch.mask)

    def decoder(self, num_slots: int, *, grammars: Callable[[str], Matcher] | None = None) -> Decoder:
        """A decoder with that many slots and this model's context; `grammars` enforce the schemas of requests."""
        context = self.shape.context_tokens
        return Decoder(self.net, num_slots=num_slots, context_tokens=context, grammars=grammars)

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
            CapabilityError: a condition is asked for, or what is known of a row is not its start.
        """
        if cond is not None or guidance != 1.0:
            raise CapabilityError("this family takes no cond and no guidance", hint="pass the condition as given")
        ids, num_known = known_starts(given, n=n, bos_id=self.shape.bos_id, device=torch.device("cpu"))
        starts = [tuple(row[:size].tolist()) for row, size in zip(ids, num_known.tolist(), strict=True)]
        seeds = torch.randint(0, 2**62, (n,), generator=rng).tolist()
        decoder = self.decoder(n)
        rows: dict[int, list[int]] = {}
        for seed, start in zip(seeds, starts, strict=True):
            request = DecodeRequest(
                prompt_ids=start,
                max_new_tokens=steps or self.shape.context_tokens - len(start) + 1,
                sampling=SamplingConfig(temperature=temperature),
                seed=seed,
                stop_ids=frozenset({self.shape.eos_id}),
                min_new_tokens=int(start == (self.shape.bos_id,)),
            )
            rows[decoder.add(request)] = list(start)
        while tokens := decoder.step():
            for token in tokens:
                rows[token.slot].append(token.token_id)
        return _padded(list(rows.values()), eos_id=self.shape.eos_id)


def _padded(rows: list[list[int]], *, eos_id: int) -> Tokens:
    """Rows of one length, end marks behind each; the mask covers a row up to its first end mark."""
    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), eos_id, dtype=torch.long)
    mask = torch.zeros_like(ids, dtype=torch.bool)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = True
    return Tokens(ids, mask)
