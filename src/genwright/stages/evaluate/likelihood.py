"""How many bits each test document costs: under the model, and under the references in the same table."""

import lzma
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from genwright.core import Context
from genwright.measure.ngram import Ngram
from genwright.modalities.dataset import read_texts
from genwright.stages.evaluate.config import EvaluateConfig
from genwright.systems.local import LocalSystem
from genwright.systems.requests import DocumentScore

NATS_PER_BIT = 0.6931471805599453
AT_ONCE = 16
Documents = Sequence[Mapping[str, Any]]
Table = dict[str, list[Any]]


def score_documents(
    documents: Documents, *, system: LocalSystem, config: EvaluateConfig, context: Context
) -> tuple[Table, int]:
    """The scores table, a row per document, and the n-gram order that the validation split chose.

    `bytes` counts the document alone; model and n-gram also code its end.
    """
    texts = [str(document["text"]) for document in documents]
    table: Table = {
        "id": [document["id"] for document in documents],
        "group": [document["group"] for document in documents],
        "bytes": [len(text.encode()) for text in texts],
    }
    table |= _model_columns(texts, system=system, context=context)
    table["bits_uniform"] = [8.0 * size for size in table["bytes"]]
    ngram = _best_ngram(config, context)
    context.progress.say(f"  reference: n-gram of order {ngram.order}")
    table["bits_ngram"] = [ngram.bits(text) for text in texts]
    if config.references.xz == "on":
        table |= _xz_columns(texts, context)
    return table, ngram.order


def _model_columns(texts: Sequence[str], *, system: LocalSystem, context: Context) -> Table:
    scores = _scored(texts, system=system, context=context)
    bits = [score.nats / NATS_PER_BIT for score in scores]
    tokens = [score.num_tokens for score in scores]
    return {"tokens": tokens, "bits_model": bits, "nats_model": [value * NATS_PER_BIT for value in bits]}


def bits_of(texts: Sequence[str], *, system: LocalSystem, context: Context) -> list[float]:
    """Bits that each text costs under a system."""
    return [score.nats / NATS_PER_BIT for score in _scored(texts, system=system, context=context)]


def _scored(texts: Sequence[str], *, system: LocalSystem, context: Context) -> list[DocumentScore]:
    scores: list[DocumentScore] = []
    with context.progress.task("score test documents", total=len(texts)) as task:
        for at in range(0, len(texts), AT_ONCE):
            part = system.log_prob(texts[at : at + AT_ONCE])
            scores += part
            task.advance(len(part))
    return scores


def _best_ngram(config: EvaluateConfig, context: Context) -> Ngram:
    """The model of the order with the fewest bits on the validation split (the lowest order where that is empty)."""
    dataset = context.inputs["dataset"].path
    train = list(read_texts(dataset, split="train"))
    validation = list(read_texts(dataset, split="validation"))
    best: tuple[float, Ngram] | None = None
    orders = sorted(config.references.ngram_orders)
    with context.progress.task("n-gram reference", total=len(orders)) as task:
        for order in orders:
            model = Ngram.fit(train, order=order)
            bits = sum(model.bits(text) for text in validation)
            if best is None or bits < best[0]:
                best = (bits, model)
            task.advance(1)
    assert best is not None, "the config asks for at least one order"
    return best[1]


def _xz_columns(texts: Sequence[str], context: Context) -> Table:
    """Exact totals of `xz -9e`, shared out among documents in proportion to their sizes when compressed alone.

    `bits_xz` compresses all test documents together. `bits_xz_with_train` is what they add to the compressed
    training text that stands before them (its window, 64 MiB, is the preset's).
    """
    test = "\n".join(texts).encode()
    train = "\n".join(read_texts(context.inputs["dataset"].path, split="train")).encode()
    work = [train + b"\n" + test, train, test, *(text.encode() for text in texts)]
    sizes = []
    # The library lets other threads run while it compresses, and the two long pieces take all the time.
    with context.progress.task("xz reference", total=len(work)) as task, ThreadPoolExecutor(2) as pool:
        for size in pool.map(_xz_size, work):
            sizes.append(size)
            task.advance(1)
    both, train_alone, together, *alone = sizes
    return {"bits_xz": _shares(together, alone), "bits_xz_with_train": _shares(both - train_alone, alone)}


def _xz_size(data: bytes) -> int:
    return len(lzma.compress(data, format=lzma.FORMAT_XZ, preset=9 | lzma.PRESET_EXTREME))


def _shares(total_bytes: int, weights: Sequence[int]) -> list[float]:
    whole = sum(weights)
    return [8.0 * total_bytes * weight / whole for weight in weights]
