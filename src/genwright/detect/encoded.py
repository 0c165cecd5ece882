"""Texts inside a text that a person does not read: encoded, reversed, shifted, or in characters that show nothing."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from urllib.parse import unquote

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_BASE32 = re.compile(r"[A-Z2-7]{24,}={0,6}")
_HEX = re.compile(r"\b(?:[0-9a-f]{2}[ :]?){12,}", re.IGNORECASE)
_BITS = re.compile(r"\b(?:[01]{8}\s?){8,}")
_PERCENT = re.compile(r"(?:[\w.,@-]{0,64}%[0-9A-Fa-f]{2}){3,}[\w.,@-]{0,64}")
_BASE85 = re.compile(r"[!-~]{40,}")
_TAGS = re.compile("[\U000e0020-\U000e007e]{4,}")
_LEET = str.maketrans("013457@$", "oieastas")
_DIGIT_IN_WORD = re.compile(r"\b(?=\w*[A-Za-z])(?=\w*[013457])\w{3,}\b")
_MOST_BYTES = 1 << 16
_WORDS = ("ignore", "instruction", "prompt", "disregard", "forget", "reveal")


def decodings(text: str, /) -> Iterator[str]:
    """What a text holds in disguise, as far as it reads as text."""
    for pattern, decode in _RUNS:
        for found in pattern.finditer(text):
            yield from _readable(found[0][:_MOST_BYTES], decode)
    for turned in (codecs.decode(text, "rot13"), text[::-1]):
        if any(word in turned.casefold() for word in _WORDS):
            yield turned
    if len(_DIGIT_IN_WORD.findall(text)) > 2:
        yield text.translate(_LEET)


def _readable(run: str, decode: object) -> Iterator[str]:
    assert callable(decode)
    try:
        data = decode(run)
        shown = data if isinstance(data, str) else bytes(data).decode()
    except (ValueError, binascii.Error):
        return
    if shown.isprintable() or sum(one.isprintable() or one.isspace() for one in shown) == len(shown):
        yield shown


def _base64(run: str) -> bytes:
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4))


def _base32(run: str) -> bytes:
    plain = run.rstrip("=")
    return base64.b32decode(plain + "=" * (-len(plain) % 8))


def _hex(run: str) -> bytes:
    return bytes.fromhex(re.sub(r"[ :]", "", run))


def _bits(run: str) -> bytes:
    return bytes(int(one, 2) for one in re.findall(r"[01]{8}", run))


def _tags(run: str) -> str:
    return "".join(chr(ord(one) - 0xE0000) for one in run)


_RUNS = (
    (_BASE64, _base64),
    (_BASE32, _base32),
    (_HEX, _hex),
    (_BITS, _bits),
    (_PERCENT, unquote),
    (_BASE85, base64.b85decode),
    (_BASE85, base64.a85decode),
    (_TAGS, _tags),
)
