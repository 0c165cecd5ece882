"""Questions with the places that answer them: written by hand, read from files, and split into halves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from genwright.core import DataError
from genwright.modalities.document.document import Document

Half = Literal["development", "test"]
Origin = Literal["hand", "heading", "definition", "faq", "model"]
HALVES: tuple[Half, ...] = ("development", "test")
_EXAMPLE = '{"question": "...", "document": "...", "quote": "words of the document", "facts": ["..."]}'


@dataclass(frozen=True)
class Question:
    """A question about one document. `spans` are where its text answers it, `facts` short strings of a right answer.

    `origin` says how it came to be: written by hand or by a model, or made of a heading, a definition or an FAQ. `half`
    is the half that its document belongs to where that was said, so that what was held out once stays so.
    """

    id: str
    text: str
    document: str
    spans: tuple[tuple[int, int], ...]
    facts: tuple[str, ...] = ()
    origin: Origin = "hand"
    half: Half | None = None


def read_questions(path: Path, /, *, documents: Mapping[str, Document]) -> list[Question]:
    """The questions of a JSONL file, each with its exact places in `documents` (by id).

    A line has `question`, `document`, and `quote` (a text that stands there exactly once, or a list of such) or
    `start` and `end`; besides, as wanted, `facts`, `id` and `half`. `document` is an id, or its end after `#` or `/`
    where one document alone has it.

    Raises:
        DataError: a line is no such object, its document is not there, or its quote is not there exactly once.
    """
    names = _names(documents)
    found: list[Question] = []
    for where, line in _lines(path, _EXAMPLE):
        fallback = f"{path.stem}-{where.rpartition(':')[2]}"
        found.append(_question(line, where, fallback, documents, names))
    repeated = [name for name, times in Counter(one.id for one in found).items() if times > 1]
    if repeated:
        raise DataError(f"{path}: two questions have the id '{repeated[0]}'", hint="give each its own")
    return found


def read_unanswerable(path: Path, /) -> list[tuple[str, Half]]:
    """The questions of a JSONL file that no document answers, each with its half.

    A line has `question`, and as wanted `half`; without it, lines take turns, the first is for development.

    Raises:
        DataError: a line is no such object.
    """
    found: list[tuple[str, Half]] = []
    for where, line in _lines(path, '{"question": "..."}'):
        row = _object(line, where, ("question",), '{"question": "..."}')
        found.append((row["question"], _half(row, where) or HALVES[len(found) % 2]))
    return found


def _lines(path: Path, example: str) -> list[tuple[str, str]]:
    """The lines that hold something, each with where it stands."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error})", hint=f"a text file of lines such as {example}") from None
    return [(f"{path}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()]


def _object(line: str, where: str, fields: Sequence[str], example: str) -> dict[str, Any]:
    """The object of a line, which has these texts."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON ({error})", hint=f"for example {example}") from None
    if not isinstance(row, dict):
        raise DataError(f"{where} is no JSON object", hint=f"for example {example}")
    for field in fields:
        if not isinstance(row.get(field), str) or not row[field].strip():
            raise DataError(f"{where}: '{field}' is missing or no text", hint=f"for example {example}")
    return row


def _half(row: Mapping[str, Any], where: str) -> Half | None:
    half = row.get("half")
    if half not in (None, *HALVES):
        raise DataError(f"{where}: 'half' is {half!r}, and may be 'development' or 'test'", hint="or leave it out")
    found: Half | None = half
    return found


def halves(questions: Sequence[Question], /, *, seed: int) -> tuple[list[Question], list[Question]]:
    """Two halves of about one size, for development and for testing; the questions of a document stay together.

    Raises:
        DataError: a document is said to belong to both.
    """
    sizes = Counter(one.document for one in questions)
    order = sorted(sizes, key=lambda name: sha256(f"{seed}:{name}".encode()).hexdigest())
    held = tuple({one.document for one in questions if one.half == half} for half in HALVES)
    if both := sorted(held[0] & held[1]):
        raise DataError(
            f"questions on '{both[0]}' are said to be in both halves",
            hint="the questions of a document stay together: give all of them one 'half'",
        )
    counts = [sum(sizes[name] for name in half) for half in held]
    for name in order:
        if name in held[0] | held[1]:
            continue
        smaller = 0 if counts[0] <= counts[1] else 1
        held[smaller].add(name)
        counts[smaller] += sizes[name]
    first, second = ([one for one in questions if one.document in half] for half in held)
    return first, second


def _names(documents: Mapping[str, Document]) -> dict[str, str]:
    """Ids by what may stand for them: themselves, and their ends where no other has the same."""
    ends = [(end, name) for name in documents for end in {name.rpartition("#")[2], name.rpartition("/")[2]}]
    times = Counter(end for end, _ in ends)
    return {end: name for end, name in ends if times[end] == 1} | {name: name for name in documents}


def _question(
    line: str, where: str, fallback: str, documents: Mapping[str, Document], names: Mapping[str, str]
) -> Question:
    row = _object(line, where, ("question", "document"), _EXAMPLE)
    if row["document"] not in names:
        raise DataError(
            f"{where}: there is no document '{row['document']}', or several end so",
            hint=f"give its id, such as '{next(iter(documents), '')}'",
        )
    document = documents[names[row["document"]]]
    facts = row.get("facts", [])
    if not isinstance(facts, list) or not all(isinstance(fact, str) and fact.strip() for fact in facts):
        raise DataError(f"{where}: 'facts' is no list of texts", hint=f"for example {_EXAMPLE}")
    spans, half = _spans(row, document, where), _half(row, where)
    return Question(str(row.get("id", fallback)), row["question"], document.id, spans, tuple(facts), half=half)


def _spans(row: Mapping[str, Any], document: Document, where: str) -> tuple[tuple[int, int], ...]:
    if "quote" not in row:
        start, end = row.get("start"), row.get("end")
        if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end <= len(document.text):
            raise DataError(
                f"{where} has neither 'quote' nor a 'start' and 'end' within the {len(document.text):,} characters of "
                f"'{document.id}'",
                hint=f"for example {_EXAMPLE}",
            )
        return ((start, end),)
    quotes = row["quote"] if isinstance(row["quote"], list) else [row["quote"]]
    return tuple(sorted(_place(quote, document, where) for quote in quotes))


def _place(quote: Any, document: Document, where: str) -> tuple[int, int]:
    if not isinstance(quote, str) or not quote.strip():
        raise DataError(f"{where}: a quote is empty or no text", hint=f"for example {_EXAMPLE}")
    start = document.text.find(quote)
    shown = quote if len(quote) <= 60 else quote[:59] + "…"
    if start < 0:
        raise DataError(
            f"{where}: '{document.id}' does not hold the quote {shown!r}",
            hint="copy it from the document to the character, line breaks included; texts differ between versions",
        )
    if document.text.find(quote, start + 1) >= 0:
        raise DataError(f"{where}: '{document.id}' holds the quote {shown!r} more than once", hint="make it longer")
    return start, start + len(quote)
