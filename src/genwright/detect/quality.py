"""Rules of thumb that tell text worth learning from: keep, or drop with the rule and the figure that broke it."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genwright.detect.shingles import join_hashes, mix

RuleSet = Literal["prose", "code"]


@dataclass(frozen=True)
class Breach:
    """A broken rule: its name, and the figure beside its limit."""

    reason: str
    detail: str


def judge(text: str, /, *, rules: RuleSet) -> Breach | None:
    """The first rule of the set that the text breaks, or None: keep it."""
    return next(_RULES[rules](text), None)


# --- prose -----------------------------------------------------------------------------------------------------------

_STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
_BULLET = re.compile(r"\s*[-*\u2022\u2023\u25cf]\s")
# Largest share of characters in the commonest n-gram, and in n-grams that occur before.
_TOP_NGRAM = {2: 0.20, 3: 0.18, 4: 0.16}
_REPEATED_NGRAM = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def _prose(text: str) -> Iterator[Breach]:
    """Source: Rae et al. 2021 (Gopher, arXiv:2112.11446, appendix A.1.1, table A1), with its limits.

    One rule is of English: at least two of eight stop words. "Lorem ipsum" is from Raffel et al. 2020 (C4).
    """
    words = text.split()
    lines = [line for line in text.splitlines() if line.strip()]
    yield from _prose_words(words)
    if "lorem ipsum" in text.lower():
        yield Breach("lorem-ipsum", "placeholder text")
    yield from _over("bullet-lines", _share(lines, lambda line: bool(_BULLET.match(line))), 0.9)
    yield from _over("ellipsis-lines", _share(lines, lambda line: line.rstrip().endswith(("...", "\u2026"))), 0.3)
    yield from _over("repeated-lines", _repeated_share(lines), 0.3)
    yield from _over("repeated-paragraphs", _repeated_share([p for p in text.split("\n\n") if p.strip()]), 0.3)
    yield from _repetition(words)


def _prose_words(words: Sequence[str]) -> Iterator[Breach]:
    if not 50 <= len(words) <= 100_000:
        yield Breach("word-count", f"{len(words)} words, not within 50 to 100000")
    if not words:
        return
    mean = sum(map(len, words)) / len(words)
    if not 3 <= mean <= 10:
        yield Breach("word-length", f"{mean:.2f} characters a word, not within 3 to 10")
    symbols = sum(word.count("#") + word.count("...") + word.count("\u2026") for word in words)
    yield from _over("symbols-per-word", symbols / len(words), 0.1)
    yield from _under("words-with-a-letter", _share(words, lambda word: any(c.isalpha() for c in word)), 0.8)
    found = _STOP_WORDS.intersection(word.lower() for word in words)
    if len(found) < 2:
        yield Breach("stop-words", f"{len(found)} of 8 English stop words, at least 2")


def _repetition(words: Sequence[str]) -> Iterator[Breach]:
    numbers: dict[str, int] = {}
    codes = mix(np.array([numbers.setdefault(word, len(numbers)) for word in words], dtype=np.uint64))
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    total = max(1, int(lengths.sum()))
    for n, limit in (_TOP_NGRAM | _REPEATED_NGRAM).items():
        if len(words) <= n:
            return
        grams, places, counts = np.unique(join_hashes(codes, num_words=n), return_inverse=True, return_counts=True)
        if n in _TOP_NGRAM:
            first = int(np.flatnonzero(places == counts.argmax())[0])
            repeated = int(counts.max()) * int(lengths[first : first + n].sum()) if counts.max() > 1 else 0
            yield from _over(f"top-{n}-gram", repeated / total, limit)
        elif len(grams) < len(places):
            yield from _over(f"repeated-{n}-grams", _covered(counts[places] > 1, lengths, n) / total, limit)


def _covered(marked: NDArray[np.bool_], lengths: NDArray[np.int64], n: int) -> int:
    """Characters in words that lie in a marked n-gram, each once."""
    edges = np.zeros(len(lengths) + 1, dtype=np.int64)
    starts = np.flatnonzero(marked)
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + n, -1)
    return int(lengths[np.cumsum(edges[:-1]) > 0].sum())


# --- code ------------------------------------------------------------------------------------------------------------

_ALPHANUMERIC = re.compile(r"[^\W_]+")
_GENERATED = re.compile(r"auto-?generated|generated (?:by|from|file|code)|do not (?:edit|modify)", re.IGNORECASE)
_ENCODED = re.compile(r"[A-Za-z0-9+/=]{256,}|(?:\\x[0-9A-Fa-f]{2}){64,}|(?:0x[0-9A-Fa-f]{2},\s?){64,}")


def _code(text: str) -> Iterator[Breach]:
    """Source: Chen et al. 2021 (Codex, arXiv:2107.03374, section 3.1): line lengths and generated files;
    Li et al. 2023 (StarCoder, arXiv:2305.06161, section 3): share of alphanumeric characters;
    Lozhkov et al. 2024 (The Stack v2, arXiv:2402.19173): encoded data.
    """
    lines = text.splitlines() or [""]
    longest, mean = max(map(len, lines)), sum(map(len, lines)) / len(lines)
    yield from _over("line-length", longest, 1000)
    yield from _over("mean-line-length", mean, 100)
    alphanumeric = sum(map(len, _ALPHANUMERIC.findall(text)))
    yield from _under("alphanumeric-share", alphanumeric / max(1, len(text)), 0.25)
    marker = _GENERATED.search("\n".join(lines[:5]))
    if marker:
        yield Breach("generated", marker[0])
    encoded = sum(len(match[0]) for match in _ENCODED.finditer(text))
    yield from _over("encoded-share", encoded / max(1, len(text)), 0.5)


# --- parts of rules --------------------------------------------------------------------------------------------------


def _over(name: str, value: float, limit: float) -> Iterator[Breach]:
    if value > limit:
        yield Breach(name, f"{value:.4g}, at most {limit:g}")


def _under(name: str, value: float, limit: float) -> Iterator[Breach]:
    if value < limit:
        yield Breach(name, f"{value:.4g}, at least {limit:g}")


def _share(items: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, items)) / len(items) if items else 0.0


def _repeated_share(items: Sequence[str]) -> float:
    return 1 - len(Counter(items)) / len(items) if items else 0.0


_RULES: dict[RuleSet, Callable[[str], Iterator[Breach]]] = {"prose": _prose, "code": _code}
