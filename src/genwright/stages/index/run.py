"""The index stage: cut, embed, choose on one half of the questions, measure on the other."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from genwright.core import Context, GenwrightError, Produced, StageResult
from genwright.measure import write_scores
from genwright.nets.encoder import Encoder, load_encoder, read_layout, save_encoder
from genwright.stages.index import claims
from genwright.stages.index.asking import chosen_by, gather
from genwright.stages.index.building import build, opened, read_documents, tidy
from genwright.stages.index.config import STAGE, IndexConfig
from genwright.stages.index.places import model_folder
from genwright.stages.index.scoring import METRICS, measures, rank_of, search_all
from genwright.stages.index.ways import Way, ways_of
from genwright.systems.question_likelihood import QuestionLikelihood
from genwright.systems.retrieval.index import Index, Reranker
from genwright.systems.retrieval.questions import Question, write_questions
from genwright.systems.retrieval.reranking import FOLDER, load_reranker
from genwright.systems.retrieval.snapshot import NAME

# Enough to see whether a question is a question.
CHEAP = {"rerank": "off", "likelihood": "off"}
# What is compared with is each search by itself.
ALONE = {"late_interaction": "off", **CHEAP}
CONTENT = ("id", "group", "chunks", "truncated_tokens", "flagged_chunks")


@dataclass(frozen=True)
class _Built:
    """A folder with an index, and what it holds by document."""

    folder: Path
    contents: Sequence[Mapping[str, Any]]


def run(config: IndexConfig, context: Context, /) -> StageResult:
    """The index, its encoder, the questions it was measured by, and the scores.

    Raises:
        DataError: there is no text, a file of questions is wrong, or the encoder cannot be read.
        Interrupted: the user stopped the work; what was embedded is kept.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    encoder = _encoder(config, context)
    ways = ways_of(config)
    models = {"likely": _likely(config, context), "rerank": _reranker(config, context)}
    built = _build(ways, encoder, context)
    cheap = ways[0].search.model_copy(update=CHEAP)
    first = opened(built[ways[0].chunk].folder, cheap, encoder=encoder, context=context)
    documents = {one.id: one for one in read_documents(context.inputs["dataset"].path)}
    questions = gather(config.questions, documents, first, context)
    write_questions(context.folder("questions"), questions)
    main = chosen_by(questions)
    rows, best = _tried(ways, built, questions, main, context, encoder=encoder, models=models)
    index = opened(built[best.chunk].folder, best.search, encoder=encoder, context=context, **models)
    rows += _measured(index, [one for one in questions if one.half == "test"], context)
    rows += [{"row": "document", **one} for one in built[best.chunk].contents]
    _write(rows, context)
    _keep(best, built[best.chunk], encoder, context)
    tidy(context)
    produced = {slot: Produced(kind, context.scratch / slot) for slot, kind in STAGE.outputs.items()}
    return StageResult(produced, _claims(config, ways, best, questions, main))


def _encoder(config: IndexConfig, context: Context) -> Encoder:
    place = model_folder(config.encoder, name="encoder", root=context.root, progress=context.progress)
    folder = context.folder("encoder")
    save_encoder(read_layout(place), folder)
    return load_encoder(folder, precision=config.encoder.precision, device=context.device)


def _reranker(config: IndexConfig, context: Context) -> Reranker | None:
    """The reranker, beside the encoder in its artifact, where the search asks one."""
    if config.reranker is None or config.search.rerank == "off":
        return None
    place = model_folder(config.reranker, name="reranker", root=context.root, progress=context.progress)
    try:
        found = load_reranker(place, device=context.device)
    except GenwrightError as error:
        raise type(error)(f"index.reranker.path: {error.message}", hint=error.hint) from None
    folder = context.scratch / "encoder" / FOLDER
    folder.mkdir()
    save_encoder(read_layout(place), folder)
    return found


def _likely(config: IndexConfig, context: Context) -> Reranker | None:
    """What says how likely questions are, where the search asks."""
    if config.search.likelihood == "off":
        return None
    model, codec = context.inputs["model"], context.inputs["codec"]
    return QuestionLikelihood.load(model.path, codec.path, device=context.device)


def _build(ways: Sequence[Way], encoder: Encoder, context: Context) -> dict[Any, _Built]:
    """An index per way to cut."""
    built: dict[Any, _Built] = {}
    for way in ways:
        if way.chunk not in built:
            folder = context.folder(f"built-{len(built)}")
            built[way.chunk] = _Built(folder, build(way.chunk, way.search, folder, encoder=encoder, context=context))
    return built


def _tried(
    ways: Sequence[Way],
    built: Mapping[Any, _Built],
    questions: Sequence[Question],
    main: str,
    context: Context,
    *,
    encoder: Encoder,
    models: Mapping[str, Reranker | None],
) -> tuple[list[dict[str, Any]], Way]:
    """Scores of every way on the development half, and the best way."""
    asked = [one for one in questions if one.half == "development"]
    if len(ways) == 1 or not asked:
        return [], ways[0]
    rows: list[dict[str, Any]] = []
    means: list[float] = []
    for way in ways:
        index = opened(built[way.chunk].folder, way.search, encoder=encoder, context=context, **models)
        found = search_all(index, asked, context, title=f"try {way.name}")
        own = [
            {"row": "development", "way": way.name, **_named(question), **measures(rank_of(question, hit))}
            for question, hit in zip(asked, found, strict=True)
        ]
        rows += own
        counted = [row["ndcg_10"] for row in own if main in ("all", row["origin"])]
        means.append(sum(counted) / len(counted))
    best = max(range(len(ways)), key=lambda at: (means[at], -at))
    context.progress.say(f"  best of {len(ways)} ways: {ways[best].name}, nDCG@10 {means[best]:.3f} in development")
    return rows, ways[best]


def _measured(index: Index, questions: Sequence[Question], context: Context) -> list[dict[str, Any]]:
    """A row per question of the test half: as it is searched, and by each of its halves alone."""
    sides = {"": index.config.fusion, "_bm25": "bm25", "_dense": "dense"}
    found = {
        side: search_all(
            index.searched(index.config.model_copy(update={"fusion": fusion, **(ALONE if side else {})})),
            questions,
            context,
            title=f"measure {fusion}",
        )
        for side, fusion in sides.items()
    }
    return [
        {
            "row": "test",
            **_named(question),
            **{
                f"{name}{side}": value
                for side in sides
                for name, value in measures(rank_of(question, found[side][at])).items()
            },
        }
        for at, question in enumerate(questions)
    ]


def _named(question: Question) -> dict[str, Any]:
    return {"id": question.id, "group": question.document, "origin": question.origin}


def _write(rows: Sequence[Mapping[str, Any]], context: Context) -> None:
    sides = [f"{name}{side}" for side in ("", "_bm25", "_dense") for name in METRICS]
    names = dict.fromkeys(("row", "way", "id", "group", "origin", *sides, *CONTENT))
    columns = {name: [row.get(name) for row in rows] for name in names}
    write_scores(context.folder("retrieval_scores"), columns)


def _keep(best: Way, built: _Built, encoder: Encoder, context: Context) -> None:
    """The index of the best way, with its settings in it."""
    folder = context.folder("index")
    ways = build(best.chunk, best.search, folder, encoder=encoder, context=context)
    assert ways == built.contents, "what was measured is what is kept"
    shutil.rmtree(built.folder)
    assert (folder / NAME).is_file()


def _claims(config: IndexConfig, ways: Sequence[Way], best: Way, questions: Sequence[Question], main: str) -> list[Any]:
    tested = [one for one in questions if one.half == "test"]
    origins = list(dict.fromkeys([main, *sorted({one.origin for one in tested})])) if tested else []
    drafts = [*claims.content_claims(), *claims.test_claims(config, origins, main)]
    if len(ways) > 1 and any(one.half == "development" for one in questions):
        drafts += claims.development_claims([way.name for way in ways], best.name, config, main)
    return drafts
