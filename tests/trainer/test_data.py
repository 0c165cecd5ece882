"""Packing: nothing is padding, nothing is lost, and the order follows from the seed and the step alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from genwright.core import DataError
from genwright.trainer.data import token_file

from .fakes import make_rows


class ByteCodec:
    representation = "tokens"
    vocab_size = 258
    bos_id, eos_id = 256, 257

    def encode(self, samples: Sequence[str]) -> list[np.ndarray]:
        return [np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint16) for text in samples]


def test_an_epoch_holds_every_token_once() -> None:
    rows = make_rows(row_tokens=7)
    taken = rows.take(0, count=rows.rows_per_epoch)
    inputs = np.bincount(taken[:, :-1].ravel(), minlength=20)
    everything = np.bincount(make_rows().take(0, count=1)[:, :0].ravel(), minlength=20)
    stream = rows._file.tokens
    missing = np.bincount(stream, minlength=20) - inputs
    assert everything.sum() == 0
    assert missing.min() >= 0
    assert missing.sum() == rows._file.num_tokens - rows.rows_per_epoch * 7 < 7


def test_rows_join_without_a_gap() -> None:
    rows = make_rows(shuffle=False)
    taken = rows.take(0, count=rows.rows_per_epoch)
    stream = np.concatenate((taken[0], *[row[1:] for row in taken[1:]]))
    assert np.array_equal(stream, np.resize(rows._file.tokens, len(stream)))


def test_order_follows_from_seed_and_index() -> None:
    all_at_once = make_rows(seed=5).take(0, count=90)
    one_by_one = np.concatenate([make_rows(seed=5).take(index, count=1) for index in range(90)])
    assert np.array_equal(all_at_once, one_by_one)
    assert not np.array_equal(all_at_once, make_rows(seed=6).take(0, count=90))


def test_epochs_differ() -> None:
    rows = make_rows(seed=5)
    epoch = rows.rows_per_epoch
    assert not np.array_equal(rows.take(0, count=epoch), rows.take(epoch, count=epoch))


def test_a_corpus_shorter_than_a_row_wraps() -> None:
    rows = make_rows(row_tokens=64, num_documents=1)
    assert rows.take(0, count=3).shape == (3, 65)


def test_token_file_marks_documents_and_is_written_once(tmp_path: Path) -> None:
    reads = []

    def texts() -> list[str]:
        reads.append(1)
        return ["ab", "", "c"]

    for _ in range(2):
        file = token_file("train", texts=texts, codec=ByteCodec(), folder=tmp_path, key="k")  # type: ignore[arg-type]
    assert file.tokens.tolist() == [256, 97, 98, 257, 256, 257, 256, 99, 257]
    assert file.starts.tolist() == [0, 4, 6]
    assert len(reads) == 1
    token_file("train", texts=texts, codec=ByteCodec(), folder=tmp_path, key="other")  # type: ignore[arg-type]
    assert len(reads) == 2


@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_no_text_is_an_error(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises(DataError, match="holds no text"):
        token_file("train", texts=lambda: texts, codec=ByteCodec(), folder=tmp_path, key="k")  # type: ignore[arg-type]
