"""What the scores of answers claim."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from genwright.core import ClaimDraft, Derivation
from genwright.stages.answer.asked import ELSEWHERE
from genwright.systems.grounded.cases import HOLDS

OTHER = "questions on other matters"
SEARCH = ("embed", "bm25", "dense", "fuse", "read", "match", "rerank", "likelihood")
SECONDS = (*SEARCH, "sentences", "extract", "generate", "check")


def answer_claims(config: Any, /, *, with_model: bool, with_elsewhere: bool) -> list[ClaimDraft]:
    """Correctness, citations, abstention and size of the answers to the test half."""
    draft = partial(_of_answers, config)

    def share(metric: str, above: str, below: str, **more: Any) -> ClaimDraft:
        return draft(metric, "ratio", {"numerator": above, "denominator": below}, **more)

    yes, removed = {"answerable": 1}, {"kind": "removed"}
    found = [
        draft("answers_right", "proportion", {"value": "right"}),
        draft("answers_right_when_shown", "proportion", {"value": "right_if_shown"}),
        draft("evidence_cited", "proportion", {"value": "evidence_cited"}),
        share("citation_precision", "cited_right", "cited", where=yes),
        share("quotes_exact", "exact_quotes", "cited", interval="none", cluster=None),
        share("sentences_without_citation", "uncited", "sentences", better="lower", interval="none", cluster=None),
        draft("abstention_auc", "auc", {"score": "confidence", "label": "told_from_removed"}),
        draft("answered_when_answerable", "proportion", {"value": "shown"}, where=yes),
        draft("answered_when_unanswerable", "proportion", {"value": "shown"}, where=removed, better="lower"),
        draft("words_per_answer", "mean", {"value": "words"}, "words", better="neither"),
    ]
    if with_elsewhere:
        auc, shown, other = f"told_from_{ELSEWHERE}", {"value": "shown"}, {"kind": ELSEWHERE}
        found += [
            draft("abstention_auc", "auc", {"score": "confidence", "label": auc}, label=OTHER),
            draft("answered_when_unanswerable", "proportion", shown, where=other, better="lower", label=OTHER),
        ]
    if with_model:
        found += [
            share("sentences_unsupported", "dropped", "written", better="lower"),
            draft("prompt_tokens_per_answer", "mean", {"value": "prompt_tokens"}, "tokens", better="lower"),
            draft("tokens_per_answer", "mean", {"value": "tokens"}, "tokens", better="lower"),
        ]
    return found


def _of_answers(
    config: Any, metric: str, estimator: Any, columns: dict[str, str], unit: str = "1", *, better: Any = "higher",
    where: dict[str, Any] | None = None, label: str = "", **more: Any,
) -> ClaimDraft:  # fmt: skip
    shared: dict[str, Any] = {
        "interval": "bootstrap", "level": config.level, "cluster": "group", "resamples": config.resamples,
    }  # fmt: skip
    derivation = Derivation(estimator, columns, where=where or {}, **(shared | more))
    return ClaimDraft("system", metric, unit, "scores", derivation, label=label, data="questions", better=better)


def check_claims(config: Any, kinds: Collection[str], /) -> list[ClaimDraft]:
    """How well the support check tells true sentences from each kind of false one that there is."""
    found = []
    for kind, holds in HOLDS.items():
        if kind not in kinds:
            continue
        label = kind.replace("-", " ")
        if not holds:
            derivation = Derivation(
                "auc", {"score": "support", "label": f"true_or_{kind}"}, interval="bootstrap", level=config.level,
                cluster="group", resamples=config.resamples,
            )  # fmt: skip
            found.append(_of_check("support_auc", derivation, label, better="higher"))
        passed = Derivation(
            "proportion", {"value": "passed"}, where={"kind": kind}, interval="wilson", level=config.level
        )
        found.append(_of_check("support_passed", passed, label, better="higher" if holds else "lower"))
    return found


def _of_check(metric: str, derivation: Derivation, label: str, *, better: Any) -> ClaimDraft:
    return ClaimDraft("system", metric, "1", "check_scores", derivation, label=label, data="dataset", better=better)


def cost_claims(parts: list[str], /) -> list[ClaimDraft]:
    """Wall time of each part of an answer: the median."""
    return [
        ClaimDraft(
            "system",
            "seconds_per_answer",
            "s",
            "answer_costs",
            Derivation("median", {"value": part}),
            label=part,
            data="questions",
            better="lower",
        )
        for part in parts
    ]


def development_claims(names: list[str], chosen: str, /) -> list[ClaimDraft]:
    """How often each way to answer was right on the development half; the chosen one is the best of several."""
    found = []
    for name in names:
        derivation = Derivation(
            "proportion", {"value": "right"}, where={"way": name}, interval="bootstrap", cluster="group"
        )
        label = f"chosen, best of {len(names)} on these questions: {name}" if name == chosen else name
        found.append(
            ClaimDraft(
                "grounding",
                "development_answers_right",
                "1",
                "development_scores",
                derivation,
                label=label,
                data="questions",
                better="higher",
                headline=name == chosen,
            )
        )
    return found
