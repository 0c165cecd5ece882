"""Near-duplicates over a stream of texts: MinHash candidates, verified; and short texts contained in long ones."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import rensa  # type: ignore[import-untyped]
from numpy.typing import NDArray

from genwright.core import SpecError
from genwright.detect.banding import band_shape, candidate_pairs, matching_share
from genwright.detect.containment import contained_pairs, sketch_hashes
from genwright.detect.groups import DisjointSets
from genwright.detect.shingles import Hashes, shingle_hashes

SEED = 1
BATCH_DOCUMENTS = 256


@dataclass(frozen=True)
class Sketch:
    """What is kept of a text in place of it: a MinHash signature, and a sample of its shingles."""

    signature: NDArray[np.uint32]
    sample: Hashes


@dataclass(frozen=True)
class DuplicatePair:
    """Two indices (`first < second`), and the similarity that joined them.

    For `kind="similar"` `share` is the estimated Jaccard similarity; for `kind="contained"` it is the estimated share
    of the shorter text's shingles that the longer one holds, and `shorter` is its index.
    """

    first: int
    second: int
    kind: str
    share: float
    shorter: int | None = None


def exact_digest(text: str, /) -> bytes:
    """16 bytes that are equal for equal texts, white space at line ends and around the text aside."""
    lines = "\n".join(line.rstrip() for line in text.strip().split("\n"))
    return hashlib.blake2b(lines.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def sketch_many(
    texts: Sequence[str], /, *, num_permutations: int = 128, shingle_words: int = 5, sample_rate: int = 8
) -> list[Sketch]:
    """A sketch per text; pure, so that several processes may share the work."""
    hashes = [shingle_hashes(text, num_words=shingle_words) for text in texts]
    offsets = np.zeros(len(hashes) + 1, dtype=np.uint64)
    np.cumsum([len(one) for one in hashes], out=offsets[1:])
    flat = np.concatenate(hashes) if hashes else np.empty(0, dtype=np.uint64)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, num_permutations, SEED)
    rows = np.array(matrix.to_rows(), dtype=np.uint32).reshape(len(hashes), num_permutations)
    return [Sketch(row, sketch_hashes(one, rate=sample_rate)) for row, one in zip(rows, hashes, strict=True)]


class NearDuplicates:
    """Finds texts that share most of their word shingles, among any number added.

    Memory per text: `4 num_permutations` bytes of signature, and eight bytes per `sample_rate` shingles (per shingle
    up to 512 of them). `containment=None` keeps no sample of the shingles and finds similar texts only.
    Source: Broder 1997 (resemblance and containment); Dahlgaard, Knudsen, Thorup 2017 (arXiv:1704.04370, the signature,
    by the library rensa); Hera, Pierce-Ward, Koslicki 2023 (sampled sketches for containment).
    """

    def __init__(
        self,
        *,
        threshold: float = 0.8,
        num_permutations: int = 128,
        shingle_words: int = 5,
        containment: float | None = 0.9,
        sample_rate: int = 8,
    ) -> None:
        for name, value in (("threshold", threshold), ("containment", containment)):
            if value is not None and not 0 < value <= 1:
                raise SpecError(f"{name} is {value}; it must lie in (0, 1]")
        self.threshold = threshold
        self.num_permutations = num_permutations
        self.shingle_words = shingle_words
        self.containment = containment
        self.sample_rate = sample_rate
        self._shape = band_shape(threshold, num_permutations=num_permutations)
        self._signatures: list[NDArray[np.uint32]] = []
        self._samples: list[Hashes] = []
        self._filled: list[bool] = []

    def __len__(self) -> int:
        return len(self._filled)

    def add(self, text: str, /) -> int:
        """The index of the text just added."""
        return self.add_many([text])[0]

    def add_many(self, texts: Iterable[str], /) -> range:
        """The indices of the texts just added; faster than one at a time."""
        start, batch = len(self), []
        for text in texts:
            batch.append(text)
            if len(batch) == BATCH_DOCUMENTS:
                self.add_sketches(self.sketch_many(batch))
                batch = []
        if batch:
            self.add_sketches(self.sketch_many(batch))
        return range(start, len(self))

    def sketch_many(self, texts: Sequence[str], /) -> list[Sketch]:
        """Sketches with this object's settings, without adding them."""
        return sketch_many(
            texts,
            num_permutations=self.num_permutations,
            shingle_words=self.shingle_words,
            sample_rate=self.sample_rate,
        )

    def add_sketches(self, sketches: Iterable[Sketch], /) -> range:
        """The indices of texts added by sketches that `sketch_many` made, elsewhere or here."""
        start = len(self)
        for sketch in sketches:
            self._signatures.append(sketch.signature)
            self._filled.append(len(sketch.sample) > 0)
            if self.containment is not None:
                self._samples.append(sketch.sample)
        return range(start, len(self))

    def pairs(self) -> list[DuplicatePair]:
        """The verified pairs, in order. A text without a word is never one.

        Not every pair of a large group is listed, but enough to connect it.
        """
        if not self._signatures:
            return []
        found = {(pair.first, pair.second): pair for pair in self._contained()}
        found.update({(pair.first, pair.second): pair for pair in self._similar()})
        return [found[key] for key in sorted(found)]

    def groups(self) -> list[list[int]]:
        """Groups of two or more near-duplicates, each sorted, ordered by smallest member (single linkage)."""
        sets = DisjointSets(len(self))
        sets.union_pairs((pair.first, pair.second) for pair in self.pairs())
        return sets.groups()

    def _similar(self) -> list[DuplicatePair]:
        signatures = np.stack(self._signatures)
        filled = np.flatnonzero(self._filled)
        pairs = filled[candidate_pairs(signatures[filled], shape=self._shape, threshold=self.threshold)]
        shares = matching_share(signatures, pairs)
        keep = shares >= self.threshold
        return [
            DuplicatePair(int(a), int(b), "similar", float(share))
            for (a, b), share in zip(pairs[keep], shares[keep], strict=True)
        ]

    def _contained(self) -> list[DuplicatePair]:
        if self.containment is None:
            return []
        return [
            DuplicatePair(min(short, long), max(short, long), "contained", share, short)
            for short, long, share in contained_pairs(self._samples, rate=self.sample_rate, threshold=self.containment)
        ]
