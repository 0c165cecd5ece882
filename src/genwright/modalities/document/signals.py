"""What a line or a few lines look like: an adornment, an item, a signature, code."""

from __future__ import annotations

import re
from collections.abc import Sequence

from genwright.modalities.document.lines import Line, run_end

_ADORNMENT = re.compile(r"""([!-/:-@\[-`{-~])\1{2,}""")
_ITEM = re.compile(r"(?:[-*+•‣]|(?:\d{1,3}|#)[.)]|\((?:\d{1,3}|[a-z])\))(?:\s|$)")
_FIELD = re.compile(r":[A-Za-z][^:`]*:(?:\s|$)")
_LABEL = re.compile(
    r"(?:Note|See also|Warning|Caution|Important|Tip|Hint|Attention|Danger|Examples?|Availability"
    r"|CPython implementation detail)\b.*:?$"
)
_GRID = re.compile(r"\+[-=+]{3,}\+?$")
_RULES = re.compile(r"=+(?: +=+)+$")
_PIPED = re.compile(r"\|.*\|$")
_WORDS = re.compile(
    r"(?:^|\s)[A-Za-z][a-z\u2019']+(?:[,:]?\s+[\"*\u201c(]?[A-Za-z\u2019'\"*\u201c\u201d)(._-]+[,;:]?){3}"
)
_SENTENCE = re.compile(r"(?:\*\*)?[A-Z][^=]*[.:]$")
_CODE_MARK = re.compile(
    r"^(?:>>>|\.\.\. |\(Pdb\)|[$#%] |-> |Traceback |@\w|import |from \w+ import |return\b|\w+ = )|::="
    r"|^(?:async |def |class |with |for |while |if |try|match |case )(?:.*:(?:$| *#| pass\b)|.*\($)|^with \($"
)
_MOST_ROWS = 300
_MOST_SIGNATURE_LINES = 12


def is_adornment(text: str, /) -> bool:
    """Whether a line is one mark of punctuation, at least three times."""
    return bool(_ADORNMENT.fullmatch(text))


def is_item(text: str, /, *, marked: bool) -> bool:
    """Whether a line begins an item of a list; in marked text, a field, too."""
    return bool(_ITEM.match(text)) or (marked and bool(_FIELD.match(text)))


def is_label(text: str, /) -> bool:
    """Whether a line announces a note that stands below it."""
    return bool(_LABEL.match(text))


def looks_like_code(lines: Sequence[Line], /) -> bool:
    """Whether indented lines are code rather than sentences."""
    texts = [line.text for line in lines if not line.blank]
    if not texts or _CODE_MARK.search(texts[0]):
        return bool(texts)
    if is_item(texts[0], marked=False) or texts[0].startswith("**"):
        return False
    prose = sum(bool(_WORDS.search(text) or _SENTENCE.match(text)) for text in texts)
    return prose * 2 < len(texts) if len(texts) > 1 else not prose


def looks_like_signature(texts: Sequence[str], /) -> bool:
    """Whether each of a few lines could name what is described below them."""
    return len(texts) <= _MOST_SIGNATURE_LINES and not any(
        text.endswith((".", ":", ",", ";", "?", "!")) or len(text) > 120 for text in texts
    )


def signature_of(text: str, /) -> str:
    """The first signature of a directive's argument or a line, without escapes.

    >>> signature_of("print(*objects, sep=' ', end='\\\\\\\\n')")
    "print(*objects, sep=' ', end='\\\\\\\\n')"
    """
    return text.strip().replace("\\*", "*").replace("\\|", "|").rstrip("\\").strip()


def table_end(lines: list[Line], at: int, stop: int, /) -> int:
    """The line after a table of grids, rules or pipes that begins here; 0 where there is none."""
    text = lines[at].text
    if _GRID.match(text):
        return run_end(lines, at, stop)
    if _PIPED.match(text) and at + 1 < stop and _PIPED.match(lines[at + 1].text):
        return run_end(lines, at, stop)
    if not _RULES.match(text):
        return 0
    for place in range(at + 1, min(stop, at + _MOST_ROWS)):
        ends = place + 1 >= stop or lines[place + 1].blank
        if _RULES.match(lines[place].text) and lines[place].indent == lines[at].indent and ends:
            return place + 1
    return run_end(lines, at, stop)
