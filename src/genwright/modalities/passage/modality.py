"""Passages: documents cut into short texts; validity, distance, preview."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core.protocols import Candidate, Measured, Sample, Unreadable
from genwright.measure.nearest import nearest_rows
from genwright.modalities.passage.config import PassageMetricsConfig, PassageSourceConfig
from genwright.modalities.passage.features import features_of
from genwright.modalities.passage.metrics import measure
from genwright.modalities.text.modality import TextModality

ROWS_AT_ONCE = 4096
SHOWN = 6
BROKEN = "\N{REPLACEMENT CHARACTER}"


class PassageModality:
    """Short texts as rows with one column, `text`."""

    name = "passage"
    suffix = "txt"

    def read(self, source: PassageSourceConfig, *, root: Path) -> Iterator[pa.Table | Unreadable]:
        """Tables of at most 4,096 passages and a document.

        Raises:
            DataError: a document cannot be read, and the source says `fail`.
        """
        rows: list[tuple[str, str, str]] = []
        for item in TextModality().read(source, root=root):
            if not isinstance(item, Sample):
                yield Unreadable(item.id, item.reason)
                continue
            passages = passages_of(item.text, most=source.passage_characters)
            rows += [(f"{item.id}:{at + 1}", item.group, text) for at, text in enumerate(passages)]
            if len(rows) >= ROWS_AT_ONCE:
                yield _table(rows)
                rows = []
        if rows:
            yield _table(rows)

    def validate(self, rows: pa.Table) -> list[str | None]:
        """A passage is legal where it is not empty and its bytes are text."""
        return [
            "empty" if not (text or "").strip() else "broken-utf8" if BROKEN in text else None
            for text in rows.column("text").to_pylist()
        ]

    def keys(self, rows: pa.Table) -> list[bytes]:
        """The words."""
        return [" ".join((text or "").split()).encode() for text in rows.column("text").to_pylist()]

    def nearest(self, rows: pa.Table, reference: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Euclidean between counts of pieces of 1 to 4 characters, hashed and of length 1."""
        left, right = (features_of(table.column("text").to_pylist()) for table in (rows, reference))
        return nearest_rows(left, right)

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        train: pa.Table,
        test: pa.Table,
        config: PassageMetricsConfig,
        seed: int,
    ) -> Measured:
        """See `genwright.modalities.passage.metrics`."""
        return measure(candidates, train=train, test=test, config=config, seed=seed)

    def preview(self, rows: pa.Table, path: Path) -> Path:
        """The first passages, an empty line between them."""
        target = path.with_suffix(".txt")
        shown = rows.column("text").slice(0, SHOWN).to_pylist()
        target.write_text("\n\n".join(text or "" for text in shown) + "\n", encoding="utf-8")
        return target

    def write(self, rows: pa.Table, folder: Path) -> Sequence[Path]:
        """`samples.jsonl`, one object per line."""
        target = folder / "samples.jsonl"
        lines = [json.dumps({"text": text}, ensure_ascii=False) for text in rows.column("text").to_pylist()]
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return (target,)


def passages_of(text: str, /, *, most: int) -> list[str]:
    """The text cut at white space into pieces of at most `most` characters; a longer word is cut where it must be.

    >>> passages_of("one two three", most=8)
    ['one two', 'three']
    """
    out, rest = [], text.strip()
    while len(rest) > most:
        end = max(rest.rfind(blank, 1, most + 1) for blank in (" ", "\n", "\t"))
        end = most if end < 1 else end
        out.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [piece for piece in (*out, rest) if piece]


def _table(rows: Sequence[tuple[str, str, str]]) -> pa.Table:
    ids, groups, texts = zip(*rows, strict=True)
    return pa.table({"id": list(ids), "group": list(groups), "text": list(texts)})
