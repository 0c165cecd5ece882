"""Cases for the support check: sentences of the documents, each with its own passage and one of another section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from genwright.core import Context, Interrupted
from genwright.modalities.document.document import Block, Document
from genwright.systems.grounded.cases import Case, cases, names_of
from genwright.systems.grounded.sentences import units
from genwright.systems.retrieval.passage import Passage
from genwright.systems.retrieval.questions import Question

POOL = 200
MAX_WINDOWS = 40


def cases_by_half(questions: Sequence[Question], num: int, system: Any, context: Context, /) -> dict[str, list[Case]]:
    """Cases of the documents of the development questions, and of all others."""
    asked = {one.document for one in questions}
    documents = [system.document(name) for name in sorted(one.id for one in system.index.documents())]
    halves = {
        "development": [one for one in documents if one.id in asked],
        "test": [one for one in documents if one.id not in asked],
    }
    return {name: make_cases(part or documents, num, system, context) for name, part in halves.items()}


def make_cases(documents: Sequence[Document], num: int, system: Any, context: Context, /) -> list[Case]:
    """All kinds of cases made of up to `num` sentences, drawn at random from these documents.

    The other section is the best match elsewhere for the sentence itself: the one that is most easily mistaken.

    Raises:
        Interrupted: the user stopped the work.
    """
    rng = np.random.default_rng(context.seed_for("cases"))
    places = [
        (document, block, unit)
        for document in documents
        for block in system.blocks(document.id)
        if block.kind in ("paragraph", "list")
        for unit in units(document.text, [block], start=block.start, end=block.end, max_words=60)
    ]
    order = rng.permutation(len(places))[:num]
    pool = _pool(documents, rng)
    found: list[Case] = []
    with context.progress.task(f"make cases of {len(order)} sentences", total=len(order)) as task:
        for at in sorted(order.tolist()):
            if context.should_stop():
                raise Interrupted("stopped while making cases", hint="run again: this stage starts over")
            document, block, unit = places[at]
            sentence = document.text[unit.start : unit.end]
            passages = system.index.search(sentence, k=8).passages
            own = around(document, system.blocks(document.id), block)
            other = _elsewhere(passages, document, block, sentence, system)
            made = cases(sentence, own, other, pool, rng=rng)
            found += [replace(case, group=document.id) for case in made if case.windows]
            task.advance()
    return found


def around(document: Document, blocks: Sequence[Block], block: Block, /) -> list[str]:
    """The windows of the section that a block stands in, those nearest to it first if there are many."""
    same = [one for one in blocks if one.section == block.section and one.kind != "heading"]
    parts = units(document.text, same, start=same[0].start, end=same[-1].end, max_words=1_000) if same else []
    parts = sorted(parts, key=lambda one: abs(one.start - block.start))[:MAX_WINDOWS]
    return [document.text[one.start : one.end] for one in parts]


def _elsewhere(passages: Sequence[Passage], document: Document, block: Block, sentence: str, system: Any) -> list[str]:
    """The windows of the first passage of another section that does not say the same: manuals repeat themselves."""
    said = " ".join(sentence.split())
    for passage in passages:
        same = passage.document == document.id and passage.section == block.section
        if same or said in " ".join(passage.text.split()):
            continue
        other: Document = system.document(passage.document)
        blocks: Sequence[Block] = system.blocks(passage.document)
        parts = units(other.text, blocks, start=passage.start, end=passage.end, max_words=1_000)
        return [other.text[one.start : one.end] for one in parts]
    return []


def _pool(documents: Sequence[Document], rng: np.random.Generator) -> list[str]:
    """Names and numbers of all documents, drawn at random."""
    names: Mapping[str, None] = dict.fromkeys(one for document in documents for one in names_of(document.text))
    ordered = sorted(names)
    return [ordered[int(at)] for at in rng.permutation(len(ordered))[:POOL]]
