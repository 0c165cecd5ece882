"""Questions that lean on earlier ones, made to stand by themselves."""

from __future__ import annotations

import re

from genwright.systems.grounded.words import content_words
from genwright.systems.requests import Chat

LEANING = re.compile(
    r"\b(?:it|its|they|them|their|this|that|these|those|he|she|one|ones|same|there|such|instead|else)\b", re.IGNORECASE
)
OPENING = re.compile(r"^\s*(?:and|but|or|so|then|what about|how about|why|why not|when|where|also)\b", re.IGNORECASE)
FEW_WORDS = 2


def standalone(question: str, history: Chat, /) -> str:
    """The question itself, or with what the user asked before in front where it cannot stand alone.

    It leans on the chat where it points back (a pronoun, an opening like "and") or has few words of its own. The
    words before are those of the last question that stood by itself, and of what leaned on it since.
    """
    asked = [text for role, text in history if role == "user"]
    if not asked or not leans(question):
        return question
    carried: list[str] = []
    for said in reversed(asked):
        carried.insert(0, said)
        if not leans(said):
            break
    kept = content_words(" ".join(carried))
    own = set(content_words(question))
    before = " ".join(dict.fromkeys(word for word in kept if word not in own))
    return f"{before} {question}" if before else question


def leans(question: str, /) -> bool:
    """Whether a question needs what was said before it."""
    words = content_words(question)
    if len(words) < FEW_WORDS:
        return True
    return bool(OPENING.match(question) and LEANING.search(question)) or (
        bool(LEANING.search(question)) and len(words) < 2 * FEW_WORDS
    )
