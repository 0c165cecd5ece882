"""Texts as terms: stemmed words, and names whole and in parts (`str.split_lines`, `splitLines`). Imports no torch."""

from __future__ import annotations

import re
from functools import lru_cache

import snowballstemmer  # type: ignore[import-untyped]

TOKEN = re.compile(r"[^\W_][\w]*(?:\.[^\W_]\w*)*|_+\w+(?:\.\w+)*")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_STOP_WORDS = """
a about above after again all also am an and any are as at be because been before being below between both
but by can could did do does doing down during each few for from further had has have having he her here
hers him his how i if in into is it its itself just me more most my myself need of off on once only or other
our ours out over own please same she should so some such than that the their theirs them then there these
they this those through to too under until up us very want was we were what when where which while who whom
why will with would you your yours
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_STEMMER = snowballstemmer.stemmer("english")


def terms(text: str, /) -> list[str]:
    """The terms of a text in order, without stop words; a name of several parts gives itself and each part."""
    found: list[str] = []
    for token in TOKEN.findall(text):
        found += _of_token(token)
    return found


@lru_cache(maxsize=1 << 17)
def _of_token(token: str) -> tuple[str, ...]:
    lower = token.lower()
    if lower in STOP_WORDS:
        return ()
    plain = token.isalpha() and (token.islower() or token[1:].islower() or token.isupper())
    parts = [lower] if plain else [part.lower() for part in PART.findall(token)]
    stems = [_STEMMER.stemWord(part) for part in parts if part not in STOP_WORDS and (len(part) > 1 or part.isdigit())]
    if len(parts) < 2:
        return tuple(stems) or (lower,)
    return (_STEMMER.stemWord(lower), *stems)  # as where it is written in one case
