"""The three representations that codecs make and families work on: batches as tensors, and their shapes.

Batches hold tensors, so this module is imported where torch is already there; the shapes are plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from genwright.core.errors import IntegrityError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float, Int
    from numpy.typing import NDArray
    from torch import Tensor

Representation = Literal["tokens", "vector", "grid"]


@dataclass(frozen=True)
class Tokens:
    """A batch of sequences. `mask` marks the tokens that count (all of them where it is None).

    `mean_tokens` comes with batches of like length: how many tokens after the first a row of the whole split has. A
    mean over such a batch's tokens would count those of short rows for more than they are.
    """

    ids: Int[Tensor, "b t"]
    mask: Bool[Tensor, "b t"] | None = None
    cond: Float[Tensor, "b k"] | None = None
    mean_tokens: float | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class PackedTokens:
    """Whole sequences end to end, without padding: sequence i has `lengths[i]` tokens and knows nothing of the others.

    `targets` is what follows each token in its own sequence, `counted` marks the targets that are learned (an answer,
    not its question), and `mean_counted` is how many of them a sequence of the whole split has.
    """

    ids: Int[Tensor, " t"]
    targets: Int[Tensor, " t"]
    counted: Bool[Tensor, " t"]
    lengths: tuple[int, ...]
    mean_counted: float

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True)
class Vector:
    """A batch of vectors; what each stretch of entries means is in the `VectorShape`."""

    values: Float[Tensor, "b d"]
    cond: Float[Tensor, "b k"] | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Grid:
    """A batch of images or the like, entries in [-1, 1]."""

    values: Float[Tensor, "b c h w"]
    cond: Float[Tensor, "b k"] | None = None

    def __len__(self) -> int:
        return len(self.values)


RowBatch = Tokens | Vector | Grid
"""A batch whose samples are rows."""

Batch = RowBatch | PackedTokens


@dataclass(frozen=True)
class TokenShape:
    """What a family must know of a token codec.

    `cells` is empty for sequences of any length, which stand between a begin and an end mark. For a fixed layout (the
    columns of a table, the cells of a score, the codes of an image) it holds (first id, how many ids) of each position:
    sequences are exactly so long, without an end mark, and position p holds ids first .. first + how many - 1 only.
    `cond_size` is the width of the condition vector, 0 without one.
    """

    vocab_size: int
    bos_id: int
    eos_id: int
    context_tokens: int
    cells: tuple[tuple[int, int], ...] = ()
    cond_size: int = 0


@dataclass(frozen=True)
class VectorColumn:
    """A stretch of a vector: one standardised number, or `width` entries of a one-hot category."""

    name: str
    kind: Literal["number", "category"]
    width: int = 1


@dataclass(frozen=True)
class VectorShape:
    """The columns of a vector, in order."""

    columns: tuple[VectorColumn, ...]
    cond_size: int = 0

    @property
    def size(self) -> int:
        """Entries of a vector."""
        return sum(column.width for column in self.columns)


@dataclass(frozen=True)
class GridShape:
    """Channels, height and width of a grid. `levels` is how many values an entry takes (256 for 8 bits)."""

    channels: int
    height: int
    width: int
    levels: int = 256
    cond_size: int = 0

    @property
    def size(self) -> int:
        """Entries of a grid."""
        return self.channels * self.height * self.width


Shape = TokenShape | VectorShape | GridShape


@dataclass(frozen=True)
class Encoded:
    """Samples as arrays, on their way between a codec and a batch.

    `values`: integer (n, t) for tokens, float32 (n, d) for a vector, uint8 or float32 (n, c, h, w) for a grid (uint8 v
    stands for v / 127.5 - 1). `lengths` says how many tokens of each row count, where rows differ. `cond` is the
    condition (n, k), NaN rows where there is none. `known` marks entries that are given, where only some are.
    """

    values: NDArray[Any]
    lengths: NDArray[np.int64] | None = None
    cond: NDArray[np.float32] | None = None
    known: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Given:
    """Partly known samples: entries of `batch` count where `known` is true, the family fills in the rest.

    `known` has the shape of the batch's ids or values.
    """

    batch: RowBatch
    known: Bool[Tensor, ...]


_KINDS: Mapping[str, type[Any]] = {"tokens": TokenShape, "vector": VectorShape, "grid": GridShape}


def representation_of(shape: Shape, /) -> Representation:
    """The representation that a shape describes."""
    if isinstance(shape, TokenShape):
        return "tokens"
    return "vector" if isinstance(shape, VectorShape) else "grid"


def shape_to_json(shape: Shape, /) -> dict[str, Any]:
    """A shape as plain JSON."""
    return {"representation": representation_of(shape), **asdict(shape)}


def shape_from_json(values: Mapping[str, Any], /) -> Shape:
    """The shape that `shape_to_json` wrote.

    Raises:
        IntegrityError: it is none.
    """
    fields = dict(values)
    cls = _KINDS.get(str(fields.pop("representation", "tokens")))
    try:
        if cls is TokenShape:
            fields["cells"] = tuple((first, count) for first, count in fields.get("cells", ()))
        if cls is VectorShape:
            fields["columns"] = tuple(VectorColumn(**column) for column in fields["columns"])
        found: Shape = cls(**fields)  # type: ignore[misc]
    except (TypeError, KeyError, ValueError) as error:
        raise IntegrityError(f"no shape of a representation: {error}", hint="genwright verify") from None
    return found
