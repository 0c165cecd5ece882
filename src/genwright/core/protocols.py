"""The waist of the house: the protocols that codecs, nets, families and modalities keep."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from genwright.core.claim import ClaimDraft
from genwright.core.representations import (
    Batch,
    Encoded,
    Given,
    Grid,
    GridShape,
    PackedTokens,
    Representation,
    RowBatch,
    Shape,
    Tokens,
    TokenShape,
    Vector,
    VectorColumn,
    VectorShape,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from jaxtyping import Float
    from numpy.typing import NDArray
    from torch import Generator as TorchGenerator
    from torch import Tensor
    from torch.nn import Parameter

__all__ = [
    "Batch",
    "Bound",
    "BoundKind",
    "Candidate",
    "Clock",
    "Codec",
    "Encoded",
    "Family",
    "Fitted",
    "Given",
    "Grid",
    "GridShape",
    "Measured",
    "Modality",
    "ModelledModality",
    "PackedTokens",
    "Representation",
    "RowBatch",
    "RowCodec",
    "RowModality",
    "Sample",
    "Shape",
    "TokenShape",
    "Tokens",
    "Unreadable",
    "Vector",
    "VectorColumn",
    "VectorShape",
]

BoundKind = Literal["exact", "lower", "none"]


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


# --- codecs ----------------------------------------------------------------------------------------------------------


@runtime_checkable
class Codec(Protocol):
    """Documents of any length to token streams and back; fitted on the train split only.

    `encode` returns one integer array per sample, without begin or end marks.
    """

    representation: Representation
    vocab_size: int
    bos_id: int
    eos_id: int

    def encode(self, samples: Sequence[str]) -> list[np.ndarray]: ...
    def decode(self, arrays: Sequence[Sequence[int]]) -> list[str]: ...
    def save(self, folder: Path) -> None: ...


@runtime_checkable
class RowCodec(Protocol):
    """Samples that stand for themselves (a row, a picture, a molecule) to one representation and back.

    Samples are the rows of an Arrow table with the modality's columns. The class makes one by
    `fit(config, rows=tables of the train split)` (the tables can be gone through more than once) and by `load(folder)`;
    `save` writes `codec.json` with the registered `kind`.
    `encode_given` takes rows of which some cells are null, meaning unknown, and marks what is known. `units` is the
    natural size of each sample, by which likelihoods are divided, and `unit` names it ("row", "dimension", "cell").
    A codec may have `with_keys(rows)`: all decoded rows of one answer, each with a key of its own; where encoding
    loses something, `decode_given(encoded, rows)`, which decodes and puts what was given back; and `copies(rows)`,
    batches of the same rows in other forms (in other keys), which training alone sees besides.
    """

    representation: Representation
    unit: str

    @property
    def shape(self) -> Shape: ...
    def encode(self, rows: pa.Table) -> Encoded: ...
    def encode_given(self, rows: pa.Table) -> Encoded: ...
    def decode(self, encoded: Encoded) -> pa.Table: ...
    def units(self, rows: pa.Table) -> NDArray[np.float64]: ...
    def save(self, folder: Path) -> None: ...


# --- families --------------------------------------------------------------------------------------------------------


@runtime_checkable
class Family(Protocol):
    """Objective and sampler over nets. A `torch.nn.Module` besides, made from `(config, shape=...)`.

    `parts` names parameter groups, one optimiser each. `losses` yields `(part, loss, logs)`; the trainer steps that
    part and resumes the generator. `sample` makes `n` samples, or completes `given` (n samples of which some entries
    are known); `cond` is (n, k), and `guidance` above 1 exaggerates it.

    Abilities are found, not declared; a family has the attribute or has not:
    `optimisers() -> {part: {setting: value}}` replaces settings of `train.trainer.optimiser` for a part;
    `window(part) -> (start, end)` are the fractions of the budget within which a part is trained: schedules run over
    it, and after it the part keeps its averaged weights;
    `finish(batches, *, rng)` is called once after training with the train split (a density on the latents);
    `held_out_nats(batch)` is what validation looks at where `log_prob` takes many passes;
    `compile_blocks()`; `needs_float32 = True`; `takes_rows_by_length = True` where losses mind `Tokens.mean_tokens`;
    `stream` and `decoder` (token by token), `embed(batch) -> (b, z)`, `decode_latent(z) -> Batch`.
    """

    def parts(self) -> Mapping[str, Iterable[Parameter]]: ...
    def losses(self, batch: Any, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]: ...
    def log_prob(self, batch: Any) -> Bound: ...
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
    ) -> Batch: ...


@runtime_checkable
class Fitted(Protocol):
    """A family without a training loop: one pass of its own over the train split (n-grams, trees, mixtures).

    `state` and `restore` carry what was fitted, as tensors by name. `log_prob` and `sample` are those of a family.
    """

    def fit(self, batches: Iterable[Any], *, rng: TorchGenerator) -> None: ...
    def state(self) -> Mapping[str, Tensor]: ...
    def restore(self, state: Mapping[str, Tensor]) -> None: ...


# --- modalities ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """One document before cleaning: its text, where it comes from, and its rights."""

    id: str
    text: str
    source: str
    licence: str
    group: str
    meta: Mapping[str, str]


@dataclass(frozen=True)
class Unreadable:
    """A unit of data that could not be read, and why; kept among the dropped."""

    id: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Candidate:
    """Samples that are measured: the system's, or a reference's beside it.

    `name` is `system`, `floor` (other real data), `copy` (train rows drawn with replacement: the ceiling of leaking)
    or `baseline` (a second one is `baseline 2`); `label` is what tables show (empty for the system). `rows` are all
    that were asked for, legal or not. `groups` say which rows belong together, of real data: a classifier that saw one
    knows the others.
    """

    name: str
    label: str
    rows: pa.Table
    groups: Sequence[str] | None = None


@dataclass(frozen=True)
class Measured:
    """A scores table, arrays beside it by name (row i belongs to row i of the table), and the claims that derive."""

    columns: Mapping[str, list[Any]]
    drafts: Sequence[ClaimDraft]
    arrays: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@runtime_checkable
class Modality(Protocol):
    """What is particular to one kind of data; parts are added as stages need them."""

    name: str

    def read(self, source: Any, *, root: Path) -> Iterator[Any]: ...


@runtime_checkable
class RowModality(Protocol):
    """A modality whose samples are the rows of a table. Its settings are given to its constructor where it has any.

    `read` yields tables with the columns `id` and `group` (rows of one group stay in one split) and those of the
    sample itself, and `Unreadable`s. `validate` says why a row is no legal sample, None where it is one. `keys` gives
    bytes that are equal for samples that are the same.
    """

    name: str

    def read(self, source: Any, *, root: Path) -> Iterator[pa.Table | Unreadable]: ...
    def validate(self, rows: pa.Table) -> list[str | None]: ...
    def keys(self, rows: pa.Table) -> list[bytes]: ...


@runtime_checkable
class ModelledModality(RowModality, Protocol):
    """A `RowModality` of whose samples models are made, and which measures what they make.

    `nearest` is the distance of each row to the nearest of `reference`, and which one that is. `measure` scores
    candidates against held-out rows: what it returns is stored, and every claim derives from it. `preview` writes a
    picture of the first rows.

    Abilities are found: `features(rows) -> (n, f)` are numbers that need no model, a reference for what is predicted
    from embeddings; `computes` names numbers that `compute(names, rows) -> {name: values}` gives, and
    `parse(texts) -> rows` reads samples that one text each stands for; `check_metrics(config, *, train, test)` raises,
    before anything is trained, where settings of the metrics do not fit the data.
    """

    suffix: str

    def nearest(self, rows: pa.Table, reference: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
    def measure(
        self, candidates: Sequence[Candidate], *, train: pa.Table, test: pa.Table, config: Any, seed: int
    ) -> Measured: ...
    def preview(self, rows: pa.Table, path: Path) -> Path: ...
    def write(self, rows: pa.Table, folder: Path) -> Sequence[Path]: ...
