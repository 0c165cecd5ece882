"""Sentences that a passage bears out and sentences that it does not, made from the documents themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from genwright.systems.grounded.sentences import num_words
from genwright.systems.grounded.support import NAME, NEGATION, NUMBER

CaseKind = Literal["verbatim", "shortened", "wrong-section", "swapped", "negated"]
HOLDS: dict[CaseKind, bool] = {
    "verbatim": True, "shortened": True, "wrong-section": False, "swapped": False, "negated": False,
}  # fmt: skip
ASIDE = re.compile(
    r"\s*\([^()]*\)|(?:^|(?<=\. ))(?:However|Therefore|Thus|Also|In addition|For example|Note that),?\s+"
)
TAIL = re.compile(
    r"(?:;|,|\s[-\u2013]{1,3})\s+(?:which|and|but|so|for|since|because|as|where|when|while)\b.*$", re.DOTALL
)
VERB = re.compile(r"\b(is|are|was|were|can|must|may|will|should|has|have|does|do)\b")
MARKUP = re.compile(r"[`*]+")
WORDS = (6, 40)


@dataclass(frozen=True)
class Case:
    """A claim, the windows that it is held against, and whether they bear it out. `group` is the document it is of."""

    kind: CaseKind
    claim: str
    windows: tuple[str, ...]
    group: str = ""

    @property
    def holds(self) -> bool:
        """Whether the evidence says so."""
        return HOLDS[self.kind]


def cases(
    sentence: str, windows: Sequence[str], other: Sequence[str], pool: Sequence[str], /, *, rng: np.random.Generator
) -> list[Case]:
    """A case of each kind that can be made of a sentence of `windows`.

    `other` are windows of another section, the likelier to be mistaken the better; `pool` are names and numbers of
    elsewhere.
    """
    own, away = tuple(windows), tuple(other)
    said = " ".join(MARKUP.sub("", sentence).split())
    if not WORDS[0] <= num_words(said) <= WORDS[1]:
        return []
    found = [Case("verbatim", said, own), Case("wrong-section", said, away)]
    if (shorter := shortened(said)) is not None:
        found.append(Case("shortened", shorter, own))
    if (changed := swapped(said, " ".join(own), pool, rng)) is not None:
        found.append(Case("swapped", changed, own))
    if (denied := negated(said)) is not None:
        found.append(Case("negated", denied, own))
    return found


def shortened(sentence: str, /) -> str | None:
    """The sentence without asides and without its last clause; None where nothing can go."""
    shorter = TAIL.sub(".", ASIDE.sub("", sentence)).strip()
    return shorter if shorter != sentence and num_words(shorter) >= WORDS[0] else None


def swapped(sentence: str, evidence: str, pool: Sequence[str], rng: np.random.Generator, /) -> str | None:
    """The sentence with one name or number in place of another that its evidence does not hold."""
    places = [*NUMBER.finditer(sentence), *NAME.finditer(sentence)]
    fresh = [one for one in pool if one not in evidence]
    if not places or not fresh:
        return None
    place = places[int(rng.integers(len(places)))]
    digits = place.group(0)[0].isdigit()
    alike = [one for one in fresh if one[0].isdigit() == digits]
    if not alike:
        return None
    chosen = alike[int(rng.integers(len(alike)))]
    return sentence[: place.start()] + chosen + sentence[place.end() :]


def negated(sentence: str, /) -> str | None:
    """The sentence with its first "not" gone, or one put behind its first verb; None where it has neither."""
    denial = re.search(r"\b(?:not|never)\s+", sentence)
    if denial:
        return sentence[: denial.start()] + sentence[denial.end() :]
    if NEGATION.search(sentence):
        return None
    verb = VERB.search(sentence)
    return None if verb is None else f"{sentence[: verb.end()]} not{sentence[verb.end() :]}"


def names_of(text: str, /) -> list[str]:
    """The names and numbers of a text, each once, in order."""
    found = [one.strip("`") for one in NAME.findall(text)] + NUMBER.findall(text)
    return list(dict.fromkeys(one for one in found if one))
