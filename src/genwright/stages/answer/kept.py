"""What the answer stage writes down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genwright.core import Context
from genwright.core.digest import entries_digest, folder_entries
from genwright.measure import write_scores
from genwright.stages.answer.claims import SECONDS
from genwright.stages.answer.measuring import Answered
from genwright.stages.answer.ways import Way
from genwright.systems.grounded.answer import GroundedAnswer
from genwright.systems.grounded.cases import Case
from genwright.systems.retrieval.questions import Question


def checked_columns(cases: Sequence[Case], system: Any, /) -> dict[str, list[Any]]:
    """A row per case: what the check says of it, and a label against each kind of false sentence."""
    supports = [system.check.check([case.claim], case.windows)[0].support for case in cases]
    columns: dict[str, list[Any]] = {
        "id": [str(number) for number in range(len(cases))],
        "group": [case.group for case in cases],
        "kind": [case.kind for case in cases],
        "support": supports,
        "passed": [int(one >= system.grounding.support_threshold) for one in supports],
    }
    for kind in sorted({case.kind for case in cases if not case.holds}):
        columns[f"true_or_{kind}"] = [1 if case.holds else 0 if case.kind == kind else None for case in cases]
    return columns


def development_columns(ways: Sequence[Way], questions: Sequence[Question], /) -> dict[str, list[Any]]:
    """A row per way and development question that it was asked."""
    documents = {one.id: one.document for one in questions}
    rows = [(way.name, name, documents[name], int(right)) for way in ways for name, right in way.right.items()]
    return {name: [row[at] for row in rows] for at, name in enumerate(("way", "id", "group", "right"))}


def write_costs(answered: Sequence[Answered], folder: Path, /) -> list[str]:
    """Writes wall seconds of each part of each answer; the parts that occur."""
    parts = [part for part in SECONDS if any(part in one.answer.seconds for one in answered)]
    write_scores(folder, {part: [one.answer.seconds.get(part) for one in answered] for part in parts})
    return parts


def write_samples(answered: Sequence[Answered], context: Context, /) -> None:
    """Writes every question with its answer and its citations."""
    shown = [
        {
            "prompt": one.asked.question.text,
            "text": one.answer.text,
            "answerable": not one.asked.removed,
            "confidence": one.answer.confidence,
            "mode": one.answer.mode,
            "citations": _citations(one.answer),
        }
        for one in answered
    ]
    body = {"system": entries_digest(folder_entries(context.scratch / "system")), "samples": shown}
    text = json.dumps(body, indent=1, ensure_ascii=False) + "\n"
    (context.folder("samples") / "samples.json").write_text(text, encoding="utf-8")


def _citations(answer: GroundedAnswer) -> list[dict[str, Any]]:
    return [
        {"document": cited.document, "start": cited.start, "end": cited.end, "quote": cited.quote}
        for sentence in answer.sentences
        for cited in sentence.citations
    ]
