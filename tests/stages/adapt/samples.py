"""Chats, and datasets of them."""

import pyarrow as pa
import pyarrow.parquet as pq

from genwright.core import Artifact

WORDS = ("quick", "brown", "fox", "return")


def chats(count, *, offset=0, answer="def {word}(x): return x"):
    """Questions with an answer that follows from them."""
    rows = []
    for place in range(count):
        word = WORDS[(place + offset) % len(WORDS)]
        said = [("user", f"the {word} {place % 3}"), ("assistant", answer.format(word=word))]
        rows.append([{"role": role, "content": content} for role, content in said])
    return rows


def write_dataset(folder, columns):
    """A dataset of those columns by split."""
    folder.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        values = columns.get(split, [])
        name = "messages" if values and not isinstance(values[0], str) else columns.get("column", "messages")
        numbers = [f"{split}-{place}" for place in range(len(values))]
        kind = pa.string() if name == "text" else pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
        pq.write_table(
            pa.table({"id": numbers, "group": numbers, name: pa.array(values, kind)}), folder / f"{split}.parquet"
        )
    return Artifact("dataset", "d" * 64, folder)
