"""Chats: validity, what makes two the same, how far one is from another, and how answers are compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core.protocols import Candidate, Measured, Unreadable
from genwright.measure.nearest import nearest_rows
from genwright.modalities.chat.config import ChatMetricsConfig, ChatSourceConfig
from genwright.modalities.chat.messages import answer, asked, chats, fault
from genwright.modalities.chat.metrics import measure
from genwright.modalities.chat.reading import read_chats
from genwright.modalities.passage.features import features_of

SHOWN = 4


class ChatModality:
    """Questions with answers as rows with one column, `messages`."""

    name = "chat"
    suffix = "jsonl"

    def read(self, source: ChatSourceConfig, *, root: Path) -> Iterator[pa.Table | Unreadable]:
        """See `genwright.modalities.chat.reading`."""
        return read_chats(source, root=root)

    def validate(self, rows: pa.Table) -> list[str | None]:
        """A chat is legal where its roles are known and it ends in an answer."""
        return [fault(messages) for messages in chats(rows)]

    def keys(self, rows: pa.Table) -> list[bytes]:
        """The words of all messages."""
        return [" ".join(" ".join(_texts(chat)).split()).encode() for chat in chats(rows)]

    def nearest(self, rows: pa.Table, reference: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Euclidean between counts of pieces of 1 to 4 characters of all messages, hashed and of length 1."""
        left, right = (features_of(["\n".join(_texts(chat)) for chat in chats(one)]) for one in (rows, reference))
        return nearest_rows(left, right)

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        train: pa.Table,
        test: pa.Table,
        config: ChatMetricsConfig,
        seed: int,
    ) -> Measured:
        """See `genwright.modalities.chat.metrics`."""
        del train, seed  # answers are compared with the reference answers alone
        return measure(candidates, test=test, config=config)

    def preview(self, rows: pa.Table, path: Path) -> Path:
        """The first questions with their answers."""
        target = path.with_suffix(".txt")
        shown = [f"> {asked(chat)}\n\n{answer(chat)}" for chat in chats(rows.slice(0, SHOWN))]
        target.write_text("\n\n---\n\n".join(shown) + "\n", encoding="utf-8")
        return target

    def write(self, rows: pa.Table, folder: Path) -> Sequence[Path]:
        """`samples.jsonl`, one chat per line."""
        target = folder / "samples.jsonl"
        lines = [json.dumps({"messages": chat}, ensure_ascii=False) for chat in chats(rows)]
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return (target,)


def _texts(chat: Sequence[dict[str, str]]) -> list[str]:
    return [message["content"] or "" for message in chat or []]
