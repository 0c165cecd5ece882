"""Which language a text is in, offline."""

from functools import cache
from typing import Any

# The first so many characters decide; the time is linear in them and more add little.
LOOK_AT_CHARACTERS = 3000


def identify(text: str, /) -> tuple[str, float]:
    """(ISO 639 code, confidence in [0, 1]) of a text's most likely language; `("und", 0.0)` where it has no letter.

    Not covered: texts of several languages, and programs, which the model takes for some language with confidence.
    Source: Lui & Baldwin 2012 (langid), by the library py3langid, whose model of 97 languages is part of its wheel.
    """
    head = text[:LOOK_AT_CHARACTERS]
    if not any(character.isalpha() for character in head):
        return "und", 0.0
    code, confidence = _identifier().classify(head)
    return str(code), float(confidence)


@cache
def _identifier() -> Any:
    # Its model takes half a second to unpack.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
