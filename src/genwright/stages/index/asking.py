"""The questions that an index is measured by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from genwright.core import Context, DataError
from genwright.modalities.document import questions as written
from genwright.modalities.document.asking import constructed
from genwright.modalities.document.document import Document
from genwright.modalities.document.occurrences import Occurrences
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.sources import list_files
from genwright.stages.index.config import QuestionsConfig
from genwright.stages.index.model import written_by_model
from genwright.stages.index.scoring import rank_of, search_all
from genwright.systems.retrieval.index import Index
from genwright.systems.retrieval.questions import Question

HAND = "hand"


def gather(
    config: QuestionsConfig, documents: Mapping[str, Document], index: Index, context: Context, /
) -> list[Question]:
    """Questions with their halves; those that were made are kept where the search can find what they ask for.

    Raises:
        DataError: a file of questions is wrong, or two questions have one id.
    """
    by_hand = _by_hand(config, documents, context)
    made = _made(config, documents, context) if config.made == "on" else []
    asked = written_by_model(config.by_model, documents, index, context) if config.by_model else []
    development = _development([*by_hand, *made], asked, seed=context.seed_for("halves"))
    kept = [*by_hand, *_found_again([*made, *asked], index, config, documents, context)]
    copies = Occurrences(list(documents.values()))
    return [
        replace(_placed(one, documents, copies), half="development" if one.document in development else "test")
        for one in kept
    ]


def _development(first: Sequence[written.Question], later: Sequence[written.Question], *, seed: int) -> frozenset[str]:
    """The documents of the development half: the same whatever the search finds, or a model asks."""
    known = {one.document for one in first}
    sides = (first, [one for one in later if one.document not in known])
    return frozenset(one.document for side in sides for one in written.halves(side, seed=seed)[0])


def chosen_by(questions: Sequence[Question], /) -> str:
    """What is chosen and claimed on first: questions by hand where there are any in both halves, else all."""
    return HAND if {one.half for one in questions if one.origin == HAND} == {"development", "test"} else "all"


def _by_hand(config: QuestionsConfig, documents: Mapping[str, Document], context: Context) -> list[written.Question]:
    found: list[written.Question] = []
    for path in config.files:
        for file in list_files(FilesConfig(path=path), root=context.root):
            found += written.read_questions(file.path, documents=documents)
    ids = [one.id for one in found]
    repeated = next((name for name in ids if ids.count(name) > 1), None)
    if repeated is not None:
        raise DataError(f"two questions of index.questions.files have the id '{repeated}'", hint="give each its own")
    return found


def _made(config: QuestionsConfig, documents: Mapping[str, Document], context: Context) -> list[written.Question]:
    """A draw of those that can be made."""
    found = constructed(documents[name] for name in sorted(documents))
    order = np.random.default_rng(context.seed_for("made questions")).permutation(len(found))
    return [found[int(at)] for at in sorted(order[: config.most_made])]


def _found_again(
    made: Sequence[written.Question],
    index: Index,
    config: QuestionsConfig,
    documents: Mapping[str, Document],
    context: Context,
) -> list[written.Question]:
    """Those whose passage is among the first; for the rest nobody could know what is meant."""
    copies = Occurrences(list(documents.values()))
    asked = [_placed(one, documents, copies) for one in made]
    found = search_all(index, asked, context, title="ask the questions that were made", k=config.round_trip)
    return [one for one, question, hit in zip(made, asked, found, strict=True) if rank_of(question, hit) is not None]


def _placed(one: written.Question, documents: Mapping[str, Document], copies: Occurrences) -> Question:
    """The question with every place that says what its own places say."""
    text = documents[one.document].text
    own = {(one.document, start, end) for start, end in one.spans}
    spans = own.union(*(copies.of(text[start:end]) for start, end in one.spans))
    return Question(one.id, one.text, one.document, tuple(sorted(spans)), one.facts, one.origin)
