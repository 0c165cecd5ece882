"""The waist of the house: representations, and the protocols that codecs, nets, families and modalities keep."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float, Int
    from torch import Generator as TorchGenerator
    from torch import Tensor
    from torch.nn import Parameter

Representation = Literal["tokens", "vector", "grid"]
BoundKind = Literal["exact", "lower", "none"]


@dataclass(frozen=True)
class Tokens:
    """A batch of sequences. `mask` marks the tokens that count (all of them where it is None)."""

    ids: Int[Tensor, "b t"]
    mask: Bool[Tensor, "b t"] | None = None


@dataclass(frozen=True)
class Clock:
    """Where training stands: the step, and the fraction of the budget spent, in [0, 1]."""

    step: int
    fraction: float


@dataclass(frozen=True)
class Bound:
    """Log-likelihood per sample in nats, and what kind of number it is."""

    value: Float[Tensor, " b"] | None
    kind: BoundKind


@dataclass(frozen=True)
class TokenShape:
    """What a family must know of a token codec."""

    vocab_size: int
    bos_id: int
    eos_id: int
    context_tokens: int


@runtime_checkable
class Codec(Protocol):
    """Raw samples to one representation and back; fitted on the train split only.

    `encode` returns one integer array per sample (tokens), without begin or end marks.
    `size_bytes` is the natural size of a sample, by which likelihoods are normalised.
    """

    representation: Representation
    vocab_size: int
    bos_id: int
    eos_id: int

    def encode(self, samples: Sequence[str]) -> list[np.ndarray]: ...
    def decode(self, arrays: Sequence[Sequence[int]]) -> list[str]: ...
    def save(self, folder: Path) -> None: ...


@runtime_checkable
class Family(Protocol):
    """Objective and sampler over nets. A `torch.nn.Module` besides.

    `parts` names parameter groups, one optimiser each. `losses` yields `(part, loss, logs)`; the
    trainer steps that part and resumes the generator. `sample` continues or completes `given`.
    """

    def parts(self) -> Mapping[str, Iterable[Parameter]]: ...
    def losses(self, batch: Tokens, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]: ...
    def log_prob(self, batch: Tokens) -> Bound: ...
    def sample(
        self,
        n: int,
        *,
        given: Any = None,
        cond: Any = None,
        guidance: float = 1.0,
        steps: int | None = None,
        temperature: float = 1.0,
        rng: TorchGenerator | None = None,
    ) -> Any: ...


@dataclass(frozen=True)
class Sample:
    """One raw unit of data before cleaning: its text, where it comes from, and its rights."""

    id: str
    text: str
    source: str
    licence: str
    group: str
    meta: Mapping[str, str]


@runtime_checkable
class Modality(Protocol):
    """What is particular to one kind of data; parts are added as stages need them."""

    name: str

    def read(self, source: Any, *, root: Path) -> Iterator[Sample]: ...
