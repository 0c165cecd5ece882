"""Unicode repair by ftfy, on the lines that can need it."""

import re
from functools import cache
from typing import Any

from genwright.core.registry import load_reference

_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85]")
_CLEAN = re.compile(r"[\t\n\x0c\x20-\x7e]*")


def repair(text: str, /) -> str:
    r"""The text with `\n` line ends, without control characters, mis-decoded letters put right, in normal form C.

    Pure ASCII without control characters is returned as it is: ftfy changes nothing in it under these settings.
    Quotes, widths, ligatures and HTML entities are left alone: they may be meant.
    """
    if _CLEAN.fullmatch(text):
        return text
    lines = _LINE_ENDS.sub("\n", text).split("\n")
    return "\n".join(line if _CLEAN.fullmatch(line) else _fixed(line) for line in lines)


def encodable(text: str, /) -> str:
    """The text with what UTF-8 cannot hold (lone surrogates) replaced."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _fixed(line: str) -> str:
    fixed: str = load_reference("ftfy:fix_text", extra="data")(line, _settings())
    return fixed


@cache
def _settings() -> Any:
    return load_reference("ftfy:TextFixerConfig", extra="data")(
        unescape_html=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        normalization="NFC",
        explain=False,
    )
