"""Whether an answer is right, by a rule that needs no judge."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from genwright.modalities.chat.doctests import passes
from genwright.modalities.chat.messages import Messages, answer, asked
from genwright.modalities.chat.metrics import exact
from genwright.modalities.chat.verifier_config import DoctestConfig, ExactConfig, JsonConfig, RegexConfig

Verifier = ExactConfig | RegexConfig | JsonConfig | DoctestConfig


def verify(verifier: Verifier, /, *, messages: Messages, answers: Sequence[str]) -> list[float]:
    """1 for each right answer to the chat's question, 0 for each wrong one.

    Raises:
        DataError: the question shows no examples, and the answer is code to be tried on them.
    """
    return [float(_is_right(verifier, messages, text)) for text in answers]


def _is_right(verifier: Verifier, messages: Messages, text: str) -> bool:
    if isinstance(verifier, ExactConfig):
        return bool(exact(text, answer(messages)))
    if isinstance(verifier, RegexConfig):
        return re.fullmatch(verifier.pattern, text, re.DOTALL) is not None
    if isinstance(verifier, JsonConfig):
        return _has_keys(text, verifier.keys)
    return passes(text, question=asked(messages), seconds=verifier.seconds, memory_mb=verifier.memory_mb)


def _has_keys(text: str, keys: Sequence[str]) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and all(key in found for key in keys)
