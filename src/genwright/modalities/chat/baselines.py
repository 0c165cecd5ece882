"""Answers that need no language model: the floor that a system has to beat."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]

from genwright.modalities.chat.messages import answer, asked, chats

COMMENT = re.compile(r"^\s*#+!?\s*(.+?)\s*$", re.MULTILINE)
NAME = re.compile(r"\bdef\s+(\w+)")
ROWS_AT_ONCE = 256


def nearest_answer(train: pa.Table, test: pa.Table, /) -> list[str]:
    """The answer of the train question that is most like each test question, by TF-IDF of its words."""
    known = chats(train)
    counter = TfidfVectorizer(token_pattern=r"[A-Za-z]+|\d+", sublinear_tf=True)
    matrix = counter.fit_transform([asked(chat) for chat in known])
    wanted = counter.transform([asked(chat) for chat in chats(test)])
    found: list[str] = []
    for at in range(0, wanted.shape[0], ROWS_AT_ONCE):
        likeness = (wanted[at : at + ROWS_AT_ONCE] @ matrix.T).toarray()
        found += [answer(known[int(place)]) for place in np.argmax(likeness, axis=1)]
    return found


def first_comment(train: pa.Table, test: pa.Table, /) -> list[str]:
    """The first comment in the code that is asked about; the words of the function's name where there is none."""
    del train
    named = name(test, test)
    found = [COMMENT.search(asked(chat)) for chat in chats(test)]
    return [one.group(1) if one else words for one, words in zip(found, named, strict=True)]


def name(train: pa.Table, test: pa.Table, /) -> list[str]:
    """The function's name as words: `get_local_host` gives "Get local host."."""
    del train
    return [_sentence(NAME.search(asked(chat))) for chat in chats(test)]


def _sentence(found: re.Match[str] | None) -> str:
    if found is None:
        return ""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", found.group(1)).strip("_").replace("_", " ")
    return f"{words.capitalize()}."


BASELINES: Mapping[str, Callable[[pa.Table, pa.Table], list[str]]] = {
    "nearest-answer": nearest_answer,
    "first-comment": first_comment,
    "name": name,
}
