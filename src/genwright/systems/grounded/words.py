"""Words that carry meaning, as the support check and the rewriting of questions see them."""

from __future__ import annotations

import re

from genwright.systems.retrieval.terms import STOP_WORDS, terms

WORD = re.compile(r"[^\W_][\w.]*\w|[^\W_]")


def content(text: str, /) -> frozenset[str]:
    """The stemmed terms of a text without stop words."""
    return frozenset(terms(text))


def content_words(text: str, /) -> list[str]:
    """The words of a text as written, without stop words."""
    return [word for word in WORD.findall(text) if word.lower() not in STOP_WORDS]
