"""Neighbouring passages are shown as one, where nothing but white space lies between them."""

from dataclasses import replace

import pytest

from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.joining import joined
from genwright.systems.retrieval.passage import Passage

TEXT = "One sentence.\n\nAnother one.\n\nA third.\n\n# Heading\n\nBelow it."


def passage(words: str, score: float, *, section: int = 0, document: str = "d", flags: tuple[str, ...] = ()) -> Passage:
    start = TEXT.index(words)
    end = start + len(words)
    return Passage(f"{document}:{start}", document, "", (), start, end, words, score, section=section, flags=flags)


ONE, TWO, THREE = (
    passage(words, score) for words, score in zip(("One sentence.", "Another one.", "A third."), (3, 2, 1), strict=True)
)


def read(document: str, start: int, end: int) -> str:
    return TEXT[start:end]


def shown(*passages: Passage, **settings: int) -> list[str]:
    return [one.text for one in joined(passages, SearchConfig(**settings), read=read)]


def test_neighbours_stand_in_the_place_of_the_better() -> None:
    other = passage("Below it.", 2.5, section=40)
    (first, second) = joined([ONE, other, TWO], SearchConfig(), read=read)
    assert first.text == "One sentence.\n\nAnother one." and second == other
    assert TEXT[first.start : first.end] == first.text
    assert (first.chunk, first.score) == (ONE.chunk, ONE.score)
    assert shown(THREE, ONE, TWO) == [TEXT[: THREE.end]], "what a third one joins is one"


def test_flags_of_both_are_kept() -> None:
    (found,) = joined([replace(TWO, flags=("a",)), replace(ONE, flags=("b", "a"))], SearchConfig(), read=read)
    assert found.flags == ("a", "b")


@pytest.mark.parametrize(
    "other",
    [
        passage("A third.", 1.0),
        passage("Another one.", 1.0, section=7),
        passage("Another one.", 1.0, document="another"),
        passage("sentence.", 1.0),
    ],
    ids=["something between", "another section", "another document", "the same words"],
)
def test_others_stay_apart(other: Passage) -> None:
    assert shown(ONE, other) == [ONE.text, other.text]


def test_how_far_and_how_long() -> None:
    assert shown(ONE, TWO, THREE, join_characters=30) == ["One sentence.\n\nAnother one.", "A third."]
    assert shown(ONE, TWO, join_characters=0) == [ONE.text, TWO.text]
    assert shown(ONE, THREE, TWO, join_depth=2) == [ONE.text, THREE.text, TWO.text]
