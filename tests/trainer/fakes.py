"""Fakes for the trainer's tests: a context in memory, and tiny families with one and with two parts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genwright.core import Context
from genwright.core.protocols import Bound, Clock, Tokens, TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.store import build_family
from genwright.nets import LstmConfig, NetConfig, TransformerConfig
from genwright.trainer import TrainerConfig
from genwright.trainer.data import Rows, TokenFile
from genwright.trainer.feed import TokenFeed
from genwright.trainer.loop import Job, Outcome, train

VOCAB = 20


class Quiet:
    """Progress that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @contextmanager
    def task(self, title: str, /, *, total: float | None) -> Iterator[Quiet]:
        yield self

    def advance(self, amount: float = 1, /, *, note: str = "") -> None:
        pass

    def say(self, message: str, /) -> None:
        self.said.append(message)


def make_context(
    folder: Path, *, decisions: dict[str, Any] | None = None, should_stop: Callable[[], bool] = lambda: False
) -> Context:
    kept: dict[str, Any] = {} if decisions is None else decisions

    def decide(name: str, make: Callable[[], Any]) -> Any:
        if name not in kept:
            kept[name] = make()
        return kept[name]

    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    return Context(
        root=folder,
        scratch=folder / "scratch",
        checkpoints=folder / "checkpoints",
        inputs={},
        seed=1,
        device="cpu",
        modality="text",
        progress=Quiet(),
        decide=decide,
        should_stop=should_stop,
        log=lambda step, values: None,
    )


def make_rows(*, row_tokens: int = 8, seed: int = 0, num_documents: int = 12, shuffle: bool = True) -> Rows:
    rng = np.random.default_rng(3)
    lengths = rng.integers(3, 30, num_documents)
    # A pattern that can be learnt: each token follows from the one before it.
    documents = [
        np.concatenate(([0], (np.arange(n) + start) % (VOCAB - 2) + 2, [1])) for start, n in enumerate(lengths)
    ]
    sizes = np.array([len(document) for document in documents])
    file = TokenFile(np.concatenate(documents).astype(np.uint16), (np.cumsum(sizes) - sizes).astype(np.int64))
    return Rows(file, row_tokens=row_tokens, seed=seed, shuffle=shuffle)


def make_family(*, lstm: bool = False, dropout: float = 0.0, num_experts: int = 0) -> Any:
    net: NetConfig = (
        LstmConfig(d_model=16, dropout=dropout)
        if lstm
        else TransformerConfig(d_model=16, num_layers=2, num_heads=2, dropout=dropout, num_experts=num_experts)
    )
    config = AutoregressiveConfig(net=net).resolve(depth=1, shape=TokenShape(VOCAB, 0, 1, 8))
    return build_family(config, shape=TokenShape(VOCAB, 0, 1, 8), seed=1)


def make_job(family: Any = None, *, batch_rows: int = 4, micro_rows: int = 4, learning_rate: float = 0.01) -> Job:
    rows = make_rows(shuffle=False)
    return Job(
        family=family or make_family(),
        feed=TokenFeed(make_rows(), device="cpu"),
        validation=[TokenFeed(rows, device="cpu").take(0, count=6)],
        batch_rows=batch_rows,
        micro_rows=micro_rows,
        learning_rate=learning_rate,
    )


def config(**changes: Any) -> TrainerConfig:
    """Few steps, no clock; keys of nested tables with a dot."""
    values: dict[str, Any] = {"budget": {"steps": 12}, "compile": "off", "validation": {"times": 3}}
    return TrainerConfig.parse(values | changes, where="train.trainer")


def run(job: Job, folder: Path, *, settings: TrainerConfig, **more: Any) -> Outcome:
    return train(job, config=settings, context=make_context(folder, **more))


class TwoParts(nn.Module):
    """A generator of numbers and its critic, in the shape of a GAN: two losses per batch, two optimisers."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = nn.Linear(1, 1)
        self.critic = nn.Linear(1, 1)
        self.order: list[str] = []

    def parts(self) -> Mapping[str, list[nn.Parameter]]:
        return {"critic": list(self.critic.parameters()), "maker": list(self.maker.parameters())}

    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        x = batch.ids[:, :1].float().to(self.critic.weight.dtype)
        before = self.maker.weight.detach().clone()
        loss = (self.critic(self.maker(x)) - 1).square().mean()
        yield "critic", loss, {"loss": loss.detach()}
        assert torch.equal(self.maker.weight, before), "only the named part moves"
        self.order.append("critic")
        loss = self.critic(self.maker(x)).square().mean()
        yield "maker", loss, {"maker_loss": loss.detach()}
        self.order.append("maker")

    def log_prob(self, batch: Tokens) -> Bound:
        return Bound(None, "none")
