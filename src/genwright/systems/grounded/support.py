"""Whether a passage bears a sentence out: shared words, names and numbers, polarity, and closeness of meaning.

A claim is held against the best window of one or two sentences of its evidence, so that a value from elsewhere in a
passage does not count. What no signal here sees: a claim that says the same words in another relation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genwright.systems.grounded.logistic import Logistic
from genwright.systems.grounded.words import content

Floats = NDArray[np.float64]
Embed = Callable[[Sequence[str]], NDArray[np.float32]]

SIGNALS = ("words_found", "names_missing", "cosine", "polarity_differs", "words_missing")
NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
NAME = re.compile(r"`+[^`]+`+|\b\w*_\w+\b|\b\w+(?:\.\w+)+\b|\b\w+(?=\(\))|\b[A-Za-z]*[a-z][A-Z]\w*\b|\b[A-Z]{2,}\b")
NEGATION = re.compile(
    r"\b(?:not|no|never|none|nothing|nor|neither|without|cannot|unless|except|fails?|unable|impossible"
    r"|[a-z]+n['\u2019]t)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Supported:
    """How far the evidence bears a claim out (0 to 1), and which of its windows does best."""

    support: float
    window: int


def signals(claim: str, windows: Sequence[str], cosines: Floats, /) -> Floats:
    """One row of `SIGNALS` per window."""
    wanted, names = content(claim), names_in(claim)
    rows = []
    for window, cosine in zip(windows, cosines, strict=True):
        held = content(window)
        missing = len(wanted - held)
        rows.append(
            [
                1.0 - missing / len(wanted) if wanted else 0.0,
                float(len(names - names_in(window) - _plain(window))),
                float(cosine),
                float(_polarity(claim) != _polarity(window)),
                float(min(missing, 6)),
            ]
        )
    return np.array(rows, dtype=np.float64).reshape(-1, len(SIGNALS))


def names_in(text: str, /) -> set[str]:
    """Identifiers and numbers, without marks around them."""
    found = {one.strip("`").rstrip("()") for one in NAME.findall(text)}
    return {one.lower() for one in found if one} | {one.replace(",", "") for one in NUMBER.findall(text)}


def _plain(text: str) -> set[str]:
    return {word.strip(".").lower() for word in re.findall(r"[\w.]+", text)}


def _polarity(text: str) -> int:
    """Whether it denies something an odd number of times."""
    return len(NEGATION.findall(text)) % 2


class SupportCheck:
    """Holds claims against evidence. `slot` is a judge of the user's own (an NLI model): (claim, window) -> 0 to 1."""

    def __init__(self, model: Logistic, /, *, embed: Embed, slot: Callable[[str, str], float] | None = None) -> None:
        self.model, self.embed, self.slot = model, embed, slot

    def check(self, claims: Sequence[str], windows: Sequence[str], /) -> list[Supported]:
        """The best window of each claim and what it is worth; no windows support nothing."""
        if not windows or not claims:
            return [Supported(0.0, -1) for _ in claims]
        vectors = self.embed([*claims, *windows])
        cosines = np.asarray(vectors[: len(claims)] @ vectors[len(claims) :].T, dtype=np.float64)
        return [self._one(claim, windows, row) for claim, row in zip(claims, cosines, strict=True)]

    def _one(self, claim: str, windows: Sequence[str], cosines: Floats) -> Supported:
        if not claim.strip():
            return Supported(0.0, -1)
        found = self.model.probabilities(signals(claim, windows, cosines))
        best = int(np.argmax(found))
        support = float(found[best])
        return Supported(min(support, self.slot(claim, windows[best])) if self.slot else support, best)
