"""Answers held against what is known of each question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genwright.stages.answer.asked import ELSEWHERE, Asked
from genwright.systems.grounded.answer import Citation, GroundedAnswer
from genwright.systems.grounded.sentences import num_words
from genwright.systems.retrieval.questions import Question


@dataclass(frozen=True)
class Answered:
    """A question, whether its passages were removed, and the answer."""

    asked: Asked
    answer: GroundedAnswer


def is_right(question: Question, answer: GroundedAnswer, /) -> bool:
    """Whether an answer holds all key facts; where a question has none, whether it cites the span that answers."""
    if not question.facts:
        return any(overlaps(question, cited) for one in answer.sentences for cited in one.citations)
    said = plain(" ".join(one.text for one in answer.sentences))
    return all(plain(fact) in said for fact in question.facts)


def plain(text: str, /) -> str:
    """Lower case, single spaces, no marks of markup: how facts are compared."""
    return " ".join(re.sub(r"[`*\"'\u2018-\u201f]", "", text).lower().split())


def overlaps(question: Question, cited: Citation, /) -> bool:
    """Whether a citation reaches into a span that answers the question."""
    return any(
        name == cited.document and min(end, cited.end) > max(start, cited.start) for name, start, end in question.spans
    )


def row(one: Answered, system: Any, /) -> dict[str, Any]:
    """What is kept of an answer: one row of the table of scores."""
    question, answer = one.asked.question, one.answer
    cited = [citation for sentence in answer.sentences for citation in sentence.citations]
    exact = [system.document(one.document).text[one.start : one.end] == one.quote for one in cited]
    shown = answer.mode != "abstained"
    answerable = not one.asked.removed
    return {
        "id": question.id + ("~removed" if one.asked.kind == "removed" else ""),
        "group": question.document,
        "origin": question.origin,
        "answerable": int(answerable),
        "kind": one.asked.kind,
        **{f"told_from_{kind}": {"answerable": 1, kind: 0}.get(one.asked.kind) for kind in ("removed", ELSEWHERE)},
        "mode": answer.mode,
        "confidence": answer.confidence,
        "shown": int(shown),
        "right": int(shown and is_right(question, answer)) if answerable else None,
        "right_if_shown": int(is_right(question, answer)) if answerable and shown else None,
        "words": num_words(" ".join(sentence.text for sentence in answer.sentences)) if shown else None,
        "cited": len(cited),
        "cited_right": sum(overlaps(question, citation) for citation in cited) if answerable else 0,
        "evidence_cited": int(any(overlaps(question, citation) for citation in cited))
        if answerable and shown
        else None,
        "exact_quotes": sum(exact),
        "sentences": len(answer.sentences),
        "uncited": sum(not sentence.citations for sentence in answer.sentences),
        "written": len(answer.sentences) + len(answer.dropped),
        "dropped": len(answer.dropped),
        "prompt_tokens": answer.num_prompt_tokens,
        "tokens": answer.num_tokens,
    }


def table(answered: Sequence[Answered], system: Any, /) -> dict[str, list[Any]]:
    """The scores of all answers, a row each."""
    rows = [row(one, system) for one in answered]
    return {name: [one[name] for one in rows] for name in rows[0]}
