"""Where a quote stands in all documents: manuals repeat themselves, and every copy answers as well."""

from __future__ import annotations

import re
from collections.abc import Sequence

from genwright.modalities.document.document import Document

LEAST_CHARACTERS = 20
BLANK = re.compile(r"\s+")


class Occurrences:
    """Finds a text in documents whatever its line breaks and indentation."""

    def __init__(self, documents: Sequence[Document], /) -> None:
        self._texts = [(document.id, *_flattened(document.text)) for document in documents]

    def of(self, quote: str, /) -> tuple[tuple[str, int, int], ...]:
        """(document, start, end) of each place; none of a quote of fewer than `LEAST_CHARACTERS` characters."""
        wanted = BLANK.sub(" ", quote).strip()
        if len(wanted) < LEAST_CHARACTERS:
            return ()
        found = []
        for name, text, places in self._texts:
            at = text.find(wanted)
            while at >= 0:
                found.append((name, places[at], places[at + len(wanted) - 1] + 1))
                at = text.find(wanted, at + 1)
        return tuple(found)


def _flattened(text: str) -> tuple[str, list[int]]:
    """The text with single blanks, and where each of its characters stood."""
    kept: list[str] = []
    places: list[int] = []
    blank = True
    for at, character in enumerate(text):
        if character.isspace():
            if not blank:
                kept.append(" ")
                places.append(at)
            blank = True
        else:
            kept.append(character)
            places.append(at)
            blank = False
    return "".join(kept), places
