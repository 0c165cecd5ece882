"""How well an index finds what answers a question."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from genwright.core import Context, Interrupted
from genwright.systems.retrieval.index import Index
from genwright.systems.retrieval.passage import Retrieved
from genwright.systems.retrieval.questions import Question, answers

K = 10
AT_ONCE = 64
METRICS = ("recall_5", "recall_10", "reciprocal_rank", "ndcg_10")


def rank_of(question: Question, found: Retrieved, /) -> int | None:
    """The rank, from 1 on, of the first passage that answers; None where none does."""
    return next((rank for rank, one in enumerate(found.passages, start=1) if answers(one, question)), None)


def measures(rank: int | None, /) -> dict[str, float]:
    """The metrics of one question. One passage is enough, so the ideal gain is 1: nDCG is 1 / log2(1 + rank)."""
    rank = rank if rank is not None and rank <= K else None
    return {
        "recall_5": float(rank is not None and rank <= 5),
        "recall_10": float(rank is not None),
        "reciprocal_rank": 0.0 if rank is None else 1 / rank,
        "ndcg_10": 0.0 if rank is None else 1 / log2(1 + rank),
    }


def search_all(
    index: Index, questions: Sequence[Question], context: Context, /, *, title: str, k: int = K
) -> list[Retrieved]:
    """What an index finds for each question.

    Raises:
        Interrupted: the user stopped the work.
    """
    found: list[Retrieved] = []
    with context.progress.task(title, total=len(questions)) as task:
        for at in range(0, len(questions), AT_ONCE):
            if context.should_stop():
                raise Interrupted("stopped while searching", hint="run again: what was embedded is kept")
            part = questions[at : at + AT_ONCE]
            found += index.search_many([one.text for one in part], k=k)
            task.advance(len(part))
    return found
