"""One training step for any family: draw rows, run the losses, mean over processes, move the part."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from genwright.core import SpecError
from genwright.core.protocols import Batch, Clock
from genwright.core.rng import derive_seed
from genwright.trainer import distributed
from genwright.trainer.config import TrainerConfig
from genwright.trainer.optim import PartOptimiser
from genwright.trainer.private import Mechanism, PrivateGradients
from genwright.trainer.sharding import shard, whole

Losses = Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]
BUFFERS = "buffers"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Feed(Protocol):
    """Where batches come from: rows first .. first + count - 1 of the whole training, on the training device.

    A row counts as `row_units` of `unit`: so many predicted tokens of a stream, or one sample.
    """

    row_units: int
    unit: Literal["token", "sample"]

    def take(self, first: int, /, *, count: int) -> Batch: ...


@dataclass(frozen=True)
class EngineSettings:
    """What is decided before the first step. A part's own rate, where the family has one, comes first."""

    config: TrainerConfig
    precision: str
    compiled: bool
    batch_rows: int
    micro_rows: int
    learning_rate: float
    seed: int
    mechanism: Mechanism | None = None


@dataclass(frozen=True)
class StepResult:
    """Mean logs of a step (nats for a loss), the largest gradient norm of its parts, and the parts in their order."""

    logs: dict[str, float]
    gradient_norm: float
    parts: list[str]


class Engine:
    """A family with its optimisers. The family's parameters are working copies; `tensors` gives the float32 truth."""

    def __init__(self, family: Any, *, feed: Feed, settings: EngineSettings) -> None:
        self.family, self.feed, self.settings = family, feed, settings
        distributed.broadcast_tensors([p.data for p in family.parameters()])
        moved = {id(p) for parameters in family.parts().values() for p in parameters}
        originals = {name: p.detach().float().clone() for name, p in family.named_parameters() if id(p) in moved}
        embeddings = {name for name, p in family.named_parameters() if getattr(p, "is_embedding", False)}
        self.sharded = settings.config.fsdp and distributed.world_size() > 1
        if self.sharded:
            shard(family, precision=PRECISIONS[settings.precision])
        else:
            family.to(PRECISIONS[settings.precision])
        if settings.compiled and not self.sharded and hasattr(family, "compile_blocks"):
            family.compile_blocks()
        self.windows = {part: _window(family, part) for part in family.parts()}
        self.settled: set[str] = set()
        self.parts = self._make_parts(originals, embeddings)
        self.private = None
        if (mechanism := settings.mechanism) is not None:
            self.private = PrivateGradients(family, mechanism=mechanism, micro_rows=settings.micro_rows)
        family.train()

    def _make_parts(self, originals: dict[str, Tensor], embeddings: set[str]) -> dict[str, PartOptimiser]:
        names = {id(parameter): name for name, parameter in self.family.named_parameters()}
        asked = self.settings.config.optimiser
        overrides = self.family.optimisers() if hasattr(self.family, "optimisers") else {}
        out = {}
        for part, parameters in self.family.parts().items():
            # What the user wrote comes before what the family prefers.
            own = {k: v for k, v in overrides.get(part, {}).items() if k not in asked.model_fields_set}
            rate = own.pop("learning_rate", None) or self.settings.learning_rate
            out[part] = PartOptimiser(
                {names[id(parameter)]: parameter for parameter in parameters},
                config=asked.model_copy(update=own),
                learning_rate=rate,
                average=self.settings.config.average > 0,
                originals=originals,
                embeddings=embeddings,
            )
        return out

    def step(self, index: int, /, *, num_steps: int, fraction: float | None = None) -> StepResult:
        """Moves every part the family's losses name; the same arguments and state give the same bits on a CPU."""
        settings = self.settings
        # Reseeding by step makes dropout independent of what ran before, so a resumed run draws the same masks.
        _reseed(derive_seed(settings.seed, f"step {index} rank {distributed.rank()}"))
        clock = Clock(index, index / num_steps if fraction is None else fraction)
        self._settle(clock.fraction)
        sums: dict[str, float] = {}
        norm = 0.0
        parts: list[str] = []
        for part in self._gradients(index, clock, sums):
            parts.append(part)
            optimiser = self.parts[part]
            if not self.sharded:  # there the backward pass has done it
                distributed.average(optimiser.gradients())
            start, end = self.windows[part]
            local = min(max((clock.fraction - start) / (end - start), 0.0), 1.0)
            norm = max(norm, optimiser.step(settings.config.schedule.rate(local)))
            steps = (end - start) * num_steps
            optimiser.update_average(_average_decay(local * steps, horizon=settings.config.average * steps))
        return StepResult(sums, norm, parts)

    def _gradients(self, index: int, clock: Clock, logs: dict[str, float]) -> Iterator[str]:
        """Each part in turn, once its gradients are there; in the end `logs` holds the means over the batch."""
        if self.private is not None:
            (only,) = self.parts
            self.parts[only].clear()
            logs["loss"] = self.private.fill(index, clock)
            yield only
            return
        streams = [self.family.losses(batch, clock) for batch in self._batches(index)]
        sums: dict[str, Tensor] = {}
        while (part := self._accumulate(streams, sums)) is not None:
            yield part
        logs.update({name: float(value) / len(streams) for name, value in sums.items()})

    def _settle(self, fraction: float) -> None:
        """A part whose window is over keeps its averaged weights: later parts build on what will be saved."""
        for part, (_, end) in self.windows.items():
            if end <= fraction and part not in self.settled:
                self.parts[part].settle()
                self.settled.add(part)

    def _batches(self, index: int) -> Iterator[Batch]:
        rows = self.settings.batch_rows // distributed.world_size()
        first = index * self.settings.batch_rows + distributed.rank() * rows
        for offset in range(0, rows, self.settings.micro_rows):
            yield self.feed.take(first + offset, count=min(self.settings.micro_rows, rows - offset))

    def _accumulate(self, streams: Sequence[Losses], sums: dict[str, Tensor]) -> str | None:
        """Takes the next loss of every micro-batch and adds up its gradients; None where the losses are done."""
        for optimiser in self.parts.values():
            optimiser.clear()
        part = None
        for stream in streams:
            item = next(stream, None)
            if item is None:
                continue  # its code after the last yield has run; all micro-batches yield alike
            part, loss, logs = item
            if part not in self.parts:
                raise SpecError(f"the family's losses name part {part!r}; its parts are {', '.join(self.parts)}")
            torch.autograd.backward(loss / len(streams))
            for optimiser in self.parts.values():
                optimiser.collect()
            for name, value in logs.items():
                sums[name] = sums[name] + value if name in sums else value
        return part

    @contextmanager
    def averaged(self) -> Iterator[Any]:
        """The family in evaluation mode with its averaged weights where there are any."""
        for optimiser in self.parts.values():
            if optimiser.averages:
                optimiser.publish(optimiser.averages)
        self.family.eval()
        try:
            yield self.family
        finally:
            self.family.train()
            for optimiser in self.parts.values():
                optimiser.publish()

    def validation_loss(self, batches: Sequence[Batch], /) -> float | None:
        """Mean nats per predicted token or per sample, of the averaged weights; None without a likelihood.

        Where the likelihood takes many passes, a family has an estimate that takes one: `held_out_nats`.
        """
        nats, count = 0.0, 0.0
        # A split net gathers itself on every call, so there each process has to make the same calls.
        own = batches if self.sharded else batches[distributed.rank() :: distributed.world_size()]
        with self.averaged() as family, torch.no_grad():
            for batch in own:
                found = _nats(family, batch)
                if found is None:
                    return None
                nats += float(found.sum())
                count += len(batch) * self.feed.row_units
        nats, count = distributed.total([nats, count])
        return nats / count if count else None

    def tensors(self) -> dict[str, Tensor]:
        """The whole float32 weights to keep: averages where there are any, masters elsewhere."""
        out: dict[str, Tensor] = {}
        for optimiser in self.parts.values():
            source = optimiser.averages or optimiser.masters
            out |= {name: whole(value.detach()).clone() for name, value in source.items()}
        return out | {name: value.clone() for name, value in _buffers(self.family).items()}

    def state(self) -> dict[str, Tensor]:
        """All that resuming needs, by name."""
        states = {part: optimiser.state() for part, optimiser in self.parts.items()}
        states[BUFFERS] = _buffers(self.family)
        return {f"{part}/{name}": value for part, state in states.items() for name, value in state.items()}

    def restore(self, state: dict[str, Tensor], /) -> None:
        """Takes up what `state` gave."""
        for part, optimiser in self.parts.items():
            head = f"{part}/"
            optimiser.restore({name.removeprefix(head): v for name, v in state.items() if name.startswith(head)})
        for name, value in _buffers(self.family).items():
            value.copy_(state[f"{BUFFERS}/{name}"])


def _reseed(seed: int) -> None:
    """Seeds what families draw from, as `torch.manual_seed` does.

    That also queues a call with its stack trace for each kind of device that is not in use: half a millisecond, kept.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)


def _nats(family: Any, batch: Batch) -> Tensor | None:
    if hasattr(family, "held_out_nats"):
        own: Tensor = family.held_out_nats(batch)
        return own
    value: Tensor | None = family.log_prob(batch).value
    return None if value is None else -value


def _window(family: Any, part: str) -> tuple[float, float]:
    """The fractions of the budget between which a part is trained."""
    start, end = family.window(part) if hasattr(family, "window") else (0.0, 1.0)
    assert 0.0 <= start < end <= 1.0, f"part {part!r}: a window lies within the budget, got {start} to {end}"
    return start, end


def _average_decay(steps: float, /, *, horizon: float) -> float:
    """A moving average over `horizon` steps, shorter at the start where weights move fast."""
    return min(1.0 - 1.0 / max(1.0, horizon), (1.0 + steps) / (10.0 + steps))


def _buffers(family: Any) -> dict[str, Tensor]:
    """What a family keeps besides parameters."""
    parameters = {name for name, _ in family.named_parameters()}
    return {name: value for name, value in family.state_dict().items() if name not in parameters}
