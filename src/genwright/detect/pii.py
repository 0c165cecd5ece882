"""Personal data that has a form: addresses, numbers of phones, cards, accounts and persons, and public IP addresses.

Each kind is found in time linear in the text. What names a person without a form (names, street addresses) is not
covered.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator

from genwright.detect.formats import formats
from genwright.detect.numbers import is_card_number, is_iban, is_phone_number
from genwright.detect.spans import Span, replace_spans, without_overlaps

# Everything numeric begins as such a run, so the exact patterns look only there.
_RUN = re.compile(r"[+(]?\d[\d .()-]{5,}\d")
_DOMAIN = re.compile(r"@((?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,8})([A-Za-z]{2,24})(?![\w-])")
_LOCAL_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&*+/=?^_~-"
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_IPV6_HINT = re.compile(r":(?::|[0-9A-Fa-f]{1,4}:)[0-9A-Fa-f]{1,4}")
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f:]{6,38}(?![\w:])")  # 2000::/3, the only space of public hosts
_CARD = re.compile(r"(?<![\d.-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}|3[47]\d\d([ -]?)\d{6}\2\d{5})(?!\d|[.-]\d)")
_SSN = re.compile(r"(?<![\d.-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\d-])")
_IPV4 = re.compile(r"(?<![\w.+-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\w)")
_PHONE = re.compile(
    r"(?<![\w.+])\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,6}(?![\w-]|\.\d)"
    r"|(?<![\w.+-])(?:\([2-9]\d\d\) ?[2-9]\d\d-\d{4}|[2-9]\d\d([.-])[2-9]\d\d\1\d{4})(?![\w-]|\.\d)"
)
_VERSION_BEFORE = re.compile(r"(?:version|release|section|python|\bver|\bv|[=<>~]=)\W{0,3}$", re.IGNORECASE)

# Reserved for documentation and tests: RFC 2606 and RFC 6761.
_RESERVED = re.compile(
    r"(?:^|\.)(?:example\.(?:com|net|org|edu)|[\w-]+\.(?:example|test|invalid|localhost))$", re.IGNORECASE
)


def find(text: str, /) -> list[Span]:
    """The personal data in a text, in order, without overlaps. Kinds: EMAIL PHONE IBAN CARD SSN IP_ADDRESS.

    Left alone because they lead to no person: addresses under the reserved example domains, `git@` and `noreply@`,
    IP addresses that are not globally routable (loopback, private, documentation ranges), dotted quads that start
    with three parts below 20 or follow a word such as "version" (version and section numbers), and telephone
    numbers that no numbering plan holds.
    """
    spans = [*_emails(text), *_accounts(text), *_ipv6(text)]
    for run in _RUN.finditer(text):
        start, end = run.start(), min(run.end() + 2, len(text))
        for kind, pattern, is_valid in _NUMERIC:
            found = (match for match in pattern.finditer(text, start, end) if is_valid(match))
            spans += [Span(match.start(), match.end(), kind) for match in found]
    return without_overlaps(spans)


def redact(text: str, /) -> tuple[str, dict[str, int]]:
    """The text with each find replaced by its kind in angle brackets, and the count per kind.

    >>> redact("Ask ada@lovelace.org, not x@example.com.")
    ('Ask <EMAIL>, not x@example.com.', {'EMAIL': 1})
    """
    return replace_spans(text, find(text))


def _emails(text: str) -> Iterator[Span]:
    if "@" not in text:
        return
    known = formats()["email"]
    for match in _DOMAIN.finditer(text):
        domain, top = match[1] + match[2], match[2].lower()
        if len(top) > 2 and top not in known["generic_domains"]:
            continue
        before = text[max(0, match.start() - 64) : match.start()]
        local = before[len(before.rstrip(_LOCAL_CHARACTERS)) :].lstrip(".!#$%&*+/=?^~-")
        if local and local.lower() not in known["impersonal"] and not _RESERVED.search(domain):
            yield Span(match.start() - len(local), match.end(), "EMAIL")


def _accounts(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        if is_iban(match[0]):
            yield Span(match.start(), match.end(), "IBAN")


def _ipv6(text: str) -> Iterator[Span]:
    if not _IPV6_HINT.search(text):
        return
    for match in _IPV6.finditer(text):
        if match[0].count(":") >= 3 and _is_public(match[0]):
            yield Span(match.start(), match.end(), "IP_ADDRESS")


def _is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_global and not (found.is_multicast or found.is_reserved)


def _is_address(match: re.Match[str]) -> bool:
    parts = [int(part) for part in match[0].split(".")]
    if max(parts[:3]) < 20 or _VERSION_BEFORE.search(match.string, max(0, match.start() - 16), match.start()):
        return False
    return _is_public(match[0])


_NUMERIC: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], bool]], ...] = (
    ("CARD", _CARD, lambda match: is_card_number(match[0])),
    ("SSN", _SSN, lambda match: True),
    ("IP_ADDRESS", _IPV4, _is_address),
    ("PHONE", _PHONE, lambda match: match[0].count(".") != 1 and is_phone_number(match[0])),
)
