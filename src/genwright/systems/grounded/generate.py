"""Generated answers: a language model reads the passages, and every sentence that it writes is held against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from genwright.modalities.document.document import Block, Document
from genwright.systems.grounded.answer import Citation, Sentence
from genwright.systems.grounded.context import MARK, MARKED, TOLD, shown
from genwright.systems.grounded.grounding import AnsweringConfig
from genwright.systems.grounded.sentences import sentences, units
from genwright.systems.grounded.support import SupportCheck
from genwright.systems.requests import Chat, GenerationRequest
from genwright.systems.retrieval.passage import Passage

MAX_SENTENCES = 8


@dataclass(frozen=True)
class Window:
    """One or two sentences of a passage that a claim may stand on."""

    source: int
    start: int
    end: int
    text: str


def request_of(
    question: str, history: Chat, passages: Sequence[Passage], /, *, model: Any, answering: AnsweringConfig
) -> GenerationRequest:
    """What the model is asked: the passages as data, then the question, behind what was said before."""
    text = asked(question, passages, answering=answering, count=lambda one: len(model.codec.encode([one])[0]))
    request: GenerationRequest = model.request((*history, ("user", text)), max_tokens=answering.max_tokens)
    return request


def asked(question: str, passages: Sequence[Passage], /, *, answering: AnsweringConfig, count: Any) -> str:
    """The passages that fit and the question, as one message."""
    marked = answering.marked == "on"
    text, _ = shown(passages, budget_tokens=answering.budget_tokens, count=count, marked=marked)
    told = TOLD + (" " + MARKED.strip() if marked else "")
    return f"{told}\n\n{text}\n\nQuestion: {question}"


def windows(
    passages: Sequence[Passage],
    /,
    *,
    documents: Mapping[str, Document],
    blocks: Mapping[str, Sequence[Block]],
) -> list[Window]:
    """Every sentence of the passages, and every two in a row."""
    found = []
    for place, passage in enumerate(passages):
        text = documents[passage.document].text
        parts = units(text, blocks[passage.document], start=passage.start, end=passage.end, max_words=1_000)
        spans = [(one.start, one.end) for one in parts]
        spans += [(one.start, two.end) for one, two in pairwise(parts)]
        found += [Window(place + 1, start, end, text[start:end]) for start, end in spans]
    return found


def checked(
    text: str, passages: Sequence[Passage], evidence: Sequence[Window], /, *, check: SupportCheck, threshold: float
) -> tuple[list[Sentence], list[Sentence]]:
    """(the sentences of a text that the passages bear out, each with what it stands on; the others)."""
    said = text.replace(MARK, " ").strip()
    claims = [said[start:end] for start, end in sentences(said, 0, len(said))][:MAX_SENTENCES]
    results = check.check(claims, [window.text for window in evidence])
    kept, dropped = [], []
    for claim, result in zip(claims, results, strict=True):
        if result.support < threshold:
            dropped.append(Sentence(claim, (), result.support))
            continue
        window = evidence[result.window]
        cited = cite(passages[window.source - 1], window.start, window.end, window.text, source=window.source)
        kept.append(Sentence(claim, (cited,), result.support))
    return kept, dropped


def cite(passage: Passage, start: int, end: int, quote: str, /, *, source: int) -> Citation:
    """The citation of a span of the passage's document."""
    return Citation(source, passage.document, passage.title, start, end, quote, passage.url)
