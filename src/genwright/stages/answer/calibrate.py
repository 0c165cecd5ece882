"""What the development half teaches: which sentence answers, whether anything does, and what a passage bears out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from genwright.core import DataError
from genwright.stages.answer.asked import Asked
from genwright.systems.grounded import confidence, extract, support
from genwright.systems.grounded.cases import Case
from genwright.systems.grounded.logistic import Logistic
from genwright.systems.retrieval.questions import Question

Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
FOLDS = 5
SHORT_SPAN = 600


def extraction(asked: Sequence[Asked], /) -> Logistic:
    """Which sentence of the passages answers: one that lies in the span where the answer stands.

    Raises:
        DataError: no development question has its answer among its passages.
    """
    # Spans of a whole section say little of the sentence; they are used where nothing narrower is there.
    narrow = [one for one in asked if any(end - start <= SHORT_SPAN for _, start, end in one.question.spans)]
    sets = [
        (
            np.array([extract.chosen_by(candidate) for candidate in one.candidates]),
            np.array([float(_within(one.question, candidate, one)) for candidate in one.candidates]),
        )
        for one in narrow or asked
        if one.candidates
    ]
    if not any(labels.any() for _, labels in sets):
        raise DataError(
            "no development question finds its answer, so nothing can be calibrated",
            hint="look at index.questions: are there questions on these documents?",
        )
    return Logistic.fit_choice(extract.CHOSEN_BY, sets, penalty=0.1)


def _within(question: Question, candidate: extract.Candidate, one: Asked) -> bool:
    document = one.retrieved.passages[candidate.source - 1].document
    unit = candidate.unit
    size = unit.end - unit.start
    return any(
        name == document and 2 * (min(end, unit.end) - max(start, unit.start)) >= size
        for name, start, end in question.spans
    )


def sureness(answerable: Sequence[Asked], removed: Sequence[Asked], /) -> tuple[Logistic, Floats]:
    """Whether the documents hold the answer, and what that says of each answerable question in turn.

    The second is by models that have not seen the question's document, so that a threshold set on it holds on others.
    """
    everything = [*answerable, *removed]
    rows = np.array([confidence.signals(one.retrieved, one.candidates) for one in everything])
    labels = np.array([1.0] * len(answerable) + [0.0] * len(removed))
    groups = sorted({one.question.document for one in everything})
    fold = {name: number % FOLDS for number, name in enumerate(groups)}
    folds = np.array([fold[one.question.document] for one in everything])
    model = _fit(rows, labels)
    unseen = np.empty(len(rows))
    for number in range(FOLDS):
        left, out = folds != number, folds == number
        if out.any():
            part = _fit(rows[left], labels[left]) if len(set(labels[left].tolist())) == 2 else model
            unseen[out] = part.probabilities(rows[out])
    return model, unseen[: len(answerable)]


def _fit(rows: Floats, labels: Floats) -> Logistic:
    return Logistic.fit(confidence.SIGNALS, rows, labels, strength=0.3, balanced=True)


def supporting(cases: Sequence[Case], embed: Embed, /) -> Logistic:
    """Whether a passage bears a sentence out, by its best window."""
    rows = np.array([best_window(case, embed) for case in cases])
    return Logistic.fit(support.SIGNALS, rows, [float(case.holds) for case in cases], balanced=True)


def best_window(case: Case, embed: Embed, /) -> Floats:
    """The signals of the window that shares most with the claim."""
    vectors = embed([case.claim, *case.windows])
    rows = support.signals(case.claim, case.windows, np.asarray(vectors[1:] @ vectors[0], dtype=np.float64))
    order = np.lexsort((-rows[:, 2], -rows[:, 0]))
    return np.asarray(rows[order[0]])


def threshold(values: Sequence[float] | Floats, /, *, lost: float) -> float:
    """The largest number below which at most that share of the values lies."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    return float(np.floor(ordered[int(lost * len(ordered))] * 1e6) / 1e6)
