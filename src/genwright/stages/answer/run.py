"""The answer stage: calibrate and choose on the development half, make the system, measure it on the other half."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genwright.core import Artifact, Context, DataError, Interrupted, Produced, StageResult, component
from genwright.core.digest import entries_digest, folder_entries
from genwright.measure import write_scores
from genwright.stages.answer import calibrate, claims, evidence
from genwright.stages.answer.asked import Asked, ask
from genwright.stages.answer.config import AnswerConfig
from genwright.stages.answer.measuring import Answered, is_right, table
from genwright.systems import GroundedManifest, Manifest, backend_of, load_system, write_manifest
from genwright.systems.grounded.answer import GroundedAnswer
from genwright.systems.grounded.cases import Case
from genwright.systems.grounded.generate import asked as message_of
from genwright.systems.grounded.grounding import Grounding, write_grounding
from genwright.systems.prompts import Prompt
from genwright.systems.requests import Chat
from genwright.systems.retrieval.passage import Passage
from genwright.systems.retrieval.questions import Question, read_questions

EXTRACTION, HAND = "extraction", "hand"
KINDS = {
    "grounding": "grounding",
    "system": "system",
    "scores": "scores",
    "check_scores": "scores",
    "development_scores": "scores",
    "samples": "samples",
    "answer_costs": "scores",
}


@dataclass(frozen=True)
class Way:
    """One way to answer, and what it was worth on the development questions that it was asked."""

    name: str
    grounding: Grounding
    right: Mapping[str, bool]


def run(config: AnswerConfig, context: Context, /) -> StageResult:
    """Grounding, system, and the scores of its answers and of its support check.

    Raises:
        DataError: a half of the questions is empty.
        Interrupted: the user stopped the work.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    development, test = _halves(context)
    bare = _system(Grounding(answering=config.answering), context, "bare")
    answerable = ask(development, bare, context, removed=False)
    removed = ask(development, bare, context, removed=True)
    cases = _cases(development, bare, config, context)
    grounding = _calibrated(answerable, removed, cases["development"], bare, config)
    ways = _ways(grounding, answerable, config, context)
    best = max(ways, key=lambda way: (sum(way.right.values()) / len(way.right), way.name == EXTRACTION))
    system = _system(best.grounding, context, "system", keep=True)
    answered = [
        Answered(one, system.answer(one.retrieved, seconds=dict(one.retrieved.seconds)))
        for gone in (False, True)
        for one in _progressing(ask(test, system, context, removed=gone), context)
    ]
    write_scores(context.folder("scores"), table(answered, system))
    write_scores(context.folder("check_scores"), _checked(cases["test"], system, best.grounding))
    write_scores(context.folder("development_scores"), _development(ways, development))
    parts = _write_costs(answered, context.folder("answer_costs"))
    _write_samples(answered, context)
    return StageResult(
        {slot: Produced(kind, context.scratch / slot) for slot, kind in KINDS.items()},
        [
            *claims.answer_claims(config, with_model=best.grounding.generator is not None),
            *claims.check_claims(config),
            *claims.development_claims([way.name for way in ways], best.name),
            *claims.cost_claims(parts),
        ],
    )


def _halves(context: Context) -> tuple[list[Question], list[Question]]:
    """Development and test; questions by hand alone where both halves have some, for they are asked as people ask."""
    found = read_questions(context.inputs["questions"].path)
    by_hand = [one for one in found if one.origin == HAND]
    found = by_hand if {one.half for one in by_hand} == {"development", "test"} else found
    halves = tuple([one for one in found if one.half == half] for half in ("development", "test"))
    for name, questions in zip(("development", "test"), halves, strict=True):
        if not questions:
            raise DataError(f"the {name} half of the questions is empty", hint="add questions: index.questions")
    return halves[0], halves[1]


def _system(grounding: Grounding, context: Context, name: str, *, keep: bool = False) -> Any:
    """A grounded system on the artifacts of this run; with `keep`, from the folders that are handed back."""
    folder = context.folder("grounding" if keep else f"{name}-grounding")
    write_grounding(grounding, folder=folder)
    digest = entries_digest(folder_entries(folder))
    manifest = GroundedManifest(
        index=context.inputs["index"].digest,
        encoder=context.inputs["encoder"].digest,
        grounding=digest,
        generator=None if grounding.generator is None else _generator(context.inputs),
    )
    place = context.folder(name)
    write_manifest(manifest, folder=place)
    paths = {artifact.digest: artifact.path for artifact in context.inputs.values()} | {digest: folder}
    return load_system(place, locate=paths.__getitem__, device=context.device)


def _generator(inputs: Mapping[str, Artifact]) -> Manifest:
    model, codec = inputs["model"], inputs["codec"]
    return Manifest(
        backend=backend_of(model.path), modality="chat", model=model.digest, codec=codec.digest, sampling=GREEDY
    )


GREEDY = Manifest.model_fields["sampling"].default.model_copy(update={"temperature": 0.0})


# --- calibration and choice ----------------------------------------------------------------------------------


def _cases(questions: Sequence[Question], system: Any, config: AnswerConfig, context: Context) -> dict[str, list[Case]]:
    """Cases of documents of the development half, and of others."""
    asked = {one.document for one in questions}
    documents = [system.document(name) for name in sorted(one.id for one in system.index.documents())]
    halves = {
        "development": [one for one in documents if one.id in asked],
        "test": [one for one in documents if one.id not in asked],
    }
    return {
        name: evidence.make_cases(part or documents, config.cases, system, context) for name, part in halves.items()
    }


def _calibrated(
    answerable: Sequence[Asked], removed: Sequence[Asked], cases: Sequence[Case], system: Any, config: AnswerConfig
) -> Grounding:
    sure, unseen = calibrate.sureness(answerable, removed)
    grounding = Grounding(
        answering=config.answering,
        extraction=calibrate.extraction(answerable),
        support=calibrate.supporting(cases, system.index.encoder.embed),
        confidence=sure,
        confidence_threshold=calibrate.threshold(unseen, lost=config.lost_answers),
    )
    check = type(system.check)(grounding.support, embed=system.index.encoder.embed)
    true = [check.check([case.claim], case.windows)[0].support for case in cases if case.holds]
    return grounding.model_copy(update={"support_threshold": calibrate.threshold(true, lost=config.lost_sentences)})


def _ways(grounding: Grounding, asked: Sequence[Asked], config: AnswerConfig, context: Context) -> list[Way]:
    """Extraction, and each pattern where a model is there; all on the same questions."""
    rng = np.random.default_rng(context.seed_for("pattern questions"))
    num = len(asked) if not config.patterns else min(config.pattern_questions, len(asked))
    chosen = [asked[int(at)] for at in np.sort(rng.permutation(len(asked))[:num])]
    groundings = {EXTRACTION: grounding}
    for pattern in config.patterns:
        for number, one in enumerate(pattern.searched()):
            prompt = Prompt(pattern=one, examples=_examples(one, chosen, asked, config))
            name = f"{pattern.kind} {number + 1}" if number else pattern.kind
            groundings[name] = grounding.model_copy(update={"generator": prompt})
    return [Way(name, one, _right(name, one, chosen, context)) for name, one in groundings.items()]


def _right(name: str, grounding: Grounding, asked: Sequence[Asked], context: Context) -> dict[str, bool]:
    system = _system(grounding, context, f"way-{name}".replace(" ", "-"))
    return {
        one.question.id: is_right(one.question, system.answer(one.retrieved)) for one in _progressing(asked, context)
    }


def _examples(pattern: Any, chosen: Sequence[Asked], asked: Sequence[Asked], config: AnswerConfig) -> tuple[Chat, ...]:
    """Solved questions of the development half that are not among those a pattern is judged by, the passage before."""
    component("prompts", pattern.kind)
    judged = {one.question.id for one in chosen}
    found: list[Chat] = []
    for one in asked:
        hit = next((passage for passage in one.retrieved.passages if _answers(passage, one.question)), None)
        if (
            len(found) == pattern.num_examples
            or hit is None
            or (one.question.id in judged and len(asked) > len(chosen))
        ):
            continue
        name, start, end = one.question.spans[0]
        quote = hit.text[max(0, start - hit.start) : end - hit.start]
        told = message_of(one.question.text, [hit], answering=config.answering, count=len)
        found.append((("user", told), ("assistant", " ".join(quote.split()))))
        del name
    return tuple(found)


def _answers(passage: Passage, question: Question) -> bool:
    return any(
        name == passage.document and passage.start <= start and end <= passage.end
        for name, start, end in question.spans
    )


# --- what is kept --------------------------------------------------------------------------------------------


def _progressing(asked: Sequence[Asked], context: Context) -> list[Asked] | Any:
    with context.progress.task(f"answer {len(asked):,} questions", total=len(asked)) as task:
        for one in asked:
            if context.should_stop():
                raise Interrupted("stopped while answering", hint="run again: this stage starts over")
            yield one
            task.advance()


def _checked(cases: Sequence[Case], system: Any, grounding: Grounding) -> dict[str, list[Any]]:
    """A row per case: what the check says of it, and a label against each kind of false sentence."""
    supports = [system.check.check([case.claim], case.windows)[0].support for case in cases]
    columns: dict[str, list[Any]] = {
        "id": [str(number) for number in range(len(cases))],
        "group": [case.group for case in cases],
        "kind": [case.kind for case in cases],
        "support": supports,
        "passed": [int(one >= grounding.support_threshold) for one in supports],
    }
    for kind in sorted({case.kind for case in cases if not case.holds}):
        columns[f"true_or_{kind}"] = [1 if case.holds else 0 if case.kind == kind else None for case in cases]
    return columns


def _development(ways: Sequence[Way], questions: Sequence[Question]) -> dict[str, list[Any]]:
    documents = {one.id: one.document for one in questions}
    rows = [(way.name, name, documents[name], int(right)) for way in ways for name, right in way.right.items()]
    return {name: [row[at] for row in rows] for at, name in enumerate(("way", "id", "group", "right"))}


def _write_costs(answered: Sequence[Answered], folder: Path) -> list[str]:
    """Wall seconds of each part of each answer; the parts that occur."""
    parts = [part for part in claims.SECONDS if any(part in one.answer.seconds for one in answered)]
    columns: dict[str, list[Any]] = {part: [one.answer.seconds.get(part) for one in answered] for part in parts}
    write_scores(folder, columns)
    return parts


def _write_samples(answered: Sequence[Answered], context: Context) -> None:
    folder = context.folder("samples")
    shown = [
        {"prompt": one.asked.question.text, "text": one.answer.text, "answerable": not one.asked.removed,
         "confidence": one.answer.confidence, "mode": one.answer.mode, "citations": _citations(one.answer)}
        for one in answered
    ]  # fmt: skip
    system = entries_digest(folder_entries(context.scratch / "system"))
    body = {"system": system, "samples": shown}
    (folder / "samples.json").write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _citations(answer: GroundedAnswer) -> list[dict[str, Any]]:
    return [
        {"document": cited.document, "start": cited.start, "end": cited.end, "quote": cited.quote}
        for sentence in answer.sentences
        for cited in sentence.citations
    ]
