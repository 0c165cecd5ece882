"""What an index needs of an encoder. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Role = Literal["document", "query"]
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class TokenVectors:
    """A vector of length one per token of a text, and the characters that each stands for (a row of start and end)."""

    vectors: NDArray[Any]
    spans: np.ndarray[tuple[int, int], np.dtype[np.int64]]


class Encoder(Protocol):
    """Texts to vectors of length one, `d` wide.

    `window_tokens` is how many tokens it reads, `num_special` of them its own marks. `truncated_tokens` counts what it
    was given beyond. `identity` is the digest of all that its vectors depend on but `precision`: vectors of one
    identity compare, and those of one precision besides are equal on one machine.
    """

    window_tokens: int
    num_special: int
    d: int
    identity: str
    precision: str
    truncated_tokens: int

    def embed(self, texts: Sequence[str], /, *, role: Role = "document") -> Matrix: ...
    def tokens(self, texts: Sequence[str], /, *, role: Role = "document") -> list[TokenVectors]: ...
    def count(self, text: str, /) -> int: ...
    def cut(self, text: str, /) -> tuple[str, int]: ...
