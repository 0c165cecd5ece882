"""Credentials in a text: keys and tokens by their published form, passwords by their place and their randomness."""

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from genwright.detect.spans import Span, replace_spans, without_overlaps

MIN_ENTROPY_BITS = 3.0  # per character; dictionary words of 8 to 12 letters lie below, random strings above


@dataclass(frozen=True)
class _Rule:
    """One kind of secret. Texts without any of the literals are not searched; group 1, if any, is the secret."""

    kind: str
    literals: tuple[str, ...]
    pattern: re.Pattern[str]
    accept: Callable[[str], bool]
    before: re.Pattern[str] | None = None

    def holds(self, match: re.Match[str], *, group: int) -> bool:
        """True where the match is a secret, by itself and by what stands before it."""
        if not self.accept(match[group]):
            return False
        return self.before is None or bool(self.before.search(match.string, max(0, match.start() - 24), match.start()))


def find(text: str, /) -> list[Span]:
    """The secrets in a text, in order, without overlaps, found in time linear in the text.

    Left alone: placeholders (`EXAMPLE`, `xxxx`, `<...>`, `{...}`, `$...`), and quoted values beside a word such as
    "password" that do not look random (under 3 bits of entropy per character, or without a letter and a digit).
    """
    spans = []
    for rule in _RULES:
        if any(literal in text for literal in rule.literals):
            for match in rule.pattern.finditer(text):
                group = 1 if rule.pattern.groups else 0
                if rule.holds(match, group=group):
                    spans.append(Span(*match.span(group), rule.kind))
    return without_overlaps(spans)


def redact(text: str, /) -> tuple[str, dict[str, int]]:
    """The text with each secret replaced by its kind in angle brackets, and the count per kind.

    >>> redact("key = 'ghp_" + "a1B2c3D4e5F6" * 3 + "'")
    ("key = '<GITHUB_TOKEN>'", {'GITHUB_TOKEN': 1})
    """
    return replace_spans(text, find(text))


def entropy_bits(text: str, /) -> float:
    """Shannon entropy of the text's characters, in bits per character; 0 for an empty text."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts) if text else 0.0


_PLACEHOLDER = re.compile(
    r"example|sample|dummy|changeme|placeholder|your|x{4}|\*{3}|\.{3}|[<>{}$%]|0{6}|123456", re.IGNORECASE
)


def _is_real(secret: str) -> bool:
    return not _PLACEHOLDER.search(secret)


def _looks_random(secret: str) -> bool:
    mixed = any(c.isdigit() for c in secret) and any(c.isalpha() for c in secret)
    return mixed and _is_real(secret) and entropy_bits(secret) >= MIN_ENTROPY_BITS


def _rule(
    kind: str, literals: str, pattern: str, *, accept: Callable[[str], bool] = _is_real, before: str | None = None
) -> _Rule:
    context = re.compile(before, re.IGNORECASE) if before else None
    return _Rule(kind, tuple(literals.split()), re.compile(pattern), accept, context)


# Forms as their issuers publish them. Every repeat is bounded or runs over characters that cannot start a new match.
_RULES = (
    _rule(
        "PRIVATE_KEY",
        "PRIVATE",
        r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----[^-]{40,16384}"
        r"(?:-----END [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----)?",
        accept=lambda key: "..." not in key,
    ),
    _rule("AWS_KEY", "AKIA ASIA", r"\bA[KS]IA[A-Z2-7]{16}\b"),
    _rule(
        "GITHUB_TOKEN",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b",
    ),
    _rule("GITLAB_TOKEN", "glpat-", r"\bglpat-[\w-]{20,64}(?![\w-])"),
    _rule("SLACK_TOKEN", "xox", r"\bxox[abeoprs]-[A-Za-z0-9-]{20,255}(?![\w-])"),
    _rule(
        "API_KEY",
        "sk- sk_ rk_ AIza hf_ npm_ pypi- SG.",
        r"(?<![\w-])(?:sk-(?:[a-z]{2,10}-)?[A-Za-z0-9_-]{20,255}|[sr]k_(?:live|test)_[A-Za-z0-9]{20,255}|AIza[\w-]{35}"
        r"|hf_[A-Za-z0-9]{30,64}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{80,255}|SG\.[\w-]{22}\.[\w-]{43})(?![\w-])",
        accept=_looks_random,
    ),
    _rule("JWT", "eyJ", r"(?<![\w.-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    _rule("PASSWORD", "://", r"[a-z]://[^\s:/@\"'<>]{1,64}:([^\s:/@\"'<>]{6,128})@", accept=_looks_random),
    # Found from its sign and quote backwards, which is many times faster than looking for the words.
    _rule(
        "PASSWORD",
        "assw ASSW pwd PWD ecret ECRET oken OKEN key KEY Key",
        r"[:=][ \t]{0,4}[rbuf]?[\"']([^\s\"']{8,128})[\"']",
        accept=_looks_random,
        before=r"(?:passw(?:or)?d|passwd|pwd|secret|token|(?:api|access|auth|private)[_-]?key)[\"']?[ \t]{0,4}[:=]?$",
    ),
)
