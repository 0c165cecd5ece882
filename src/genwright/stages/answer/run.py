"""The answer stage: calibrate and choose on the development half, make the system, measure it on the other half."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from genwright.core import Context, DataError, Produced, StageResult
from genwright.measure import write_scores
from genwright.stages.answer import calibrate, claims
from genwright.stages.answer.asked import Asked, ask, elsewhere, one_by_one
from genwright.stages.answer.config import STAGE, AnswerConfig
from genwright.stages.answer.evidence import cases_by_half
from genwright.stages.answer.kept import checked_columns, development_columns, write_costs, write_samples
from genwright.stages.answer.measuring import Answered, table
from genwright.stages.answer.systems import make_system
from genwright.stages.answer.ways import best_of, ways_of
from genwright.systems.grounded.cases import Case
from genwright.systems.grounded.grounding import Grounding
from genwright.systems.grounded.support import SupportCheck
from genwright.systems.retrieval.questions import Question, read_questions

HAND = "hand"


def run(config: AnswerConfig, context: Context, /) -> StageResult:
    """Grounding, system, and the scores of its answers and of its support check.

    Raises:
        DataError: a half of the questions is empty.
        Interrupted: the user stopped the work.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    development, test = _halves(config.questions, context)
    others = elsewhere(config.unanswerable, context.root)
    bare = make_system(Grounding(answering=config.answering), context, name="bare")
    answerable = ask(development, bare, context, removed=False)
    removed = ask([*development, *others["development"]], bare, context, removed=True)
    cases = cases_by_half(development, config.cases, bare, context)
    grounding = _calibrated(answerable, removed, cases["development"], bare.index.encoder.embed, config)
    ways = ways_of(grounding, answerable, config, context)
    best = best_of(ways)
    system = make_system(best.grounding, context, name="system", keep=True)
    answered = [
        Answered(one, system.answer(one.retrieved, found=one.candidates, seconds=dict(one.seconds)))
        for part, gone in ((test, False), ([*test, *others["test"]], True))
        for one in one_by_one(ask(part, system, context, removed=gone), context)
    ]
    write_scores(context.folder("scores"), table(answered, system))
    write_scores(context.folder("check_scores"), checked_columns(cases["test"], system))
    write_scores(context.folder("development_scores"), development_columns(ways, development))
    parts = write_costs(answered, context.folder("answer_costs"))
    write_samples(answered, context)
    return StageResult(
        {slot: Produced(kind, context.scratch / slot) for slot, kind in STAGE.outputs.items()},
        [
            *claims.answer_claims(
                config, with_model=best.grounding.generator is not None, with_elsewhere=bool(others["test"])
            ),
            *claims.check_claims(config, {case.kind for case in cases["test"]}),
            *claims.development_claims([way.name for way in ways], best.name),
            *claims.cost_claims(parts),
        ],
    )


def _halves(most: int, context: Context) -> tuple[list[Question], list[Question]]:
    """Development and test, at most so many of each, drawn at random.

    Questions by hand alone where both halves have some, for they are asked as people ask.
    """
    found = read_questions(context.inputs["questions"].path)
    by_hand = [one for one in found if one.origin == HAND]
    found = by_hand if {one.half for one in by_hand} == {"development", "test"} else found
    halves = []
    for half in ("development", "test"):
        questions = [one for one in found if one.half == half]
        if not questions:
            raise DataError(
                f"the {half} half of the questions is empty",
                hint="add questions (index.questions), or change the 'half' that they name",
            )
        order = np.random.default_rng(context.seed_for(f"{half} questions")).permutation(len(questions))
        halves.append([questions[at] for at in sorted(order[:most].tolist())])
    return halves[0], halves[1]


def _calibrated(
    answerable: Sequence[Asked], removed: Sequence[Asked], cases: Sequence[Case], embed: calibrate.Embed,
    config: AnswerConfig,
) -> Grounding:  # fmt: skip
    """Everything that the development half teaches, with both thresholds."""
    sure, unseen = calibrate.sureness(answerable, removed)
    support = calibrate.supporting(cases, embed)
    check = SupportCheck(support, embed=embed)
    true = [check.check([case.claim], case.windows)[0].support for case in cases if case.holds]
    return Grounding(
        answering=config.answering,
        extraction=calibrate.extraction(answerable),
        support=support,
        confidence=sure,
        support_threshold=calibrate.threshold(true, lost=config.lost_sentences),
        confidence_threshold=calibrate.threshold(unseen, lost=config.lost_answers),
    )
