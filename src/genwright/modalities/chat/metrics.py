"""Answers beside the reference answers: one row per question, and what is claimed of the means and differences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from sacrebleu.metrics.chrf import CHRF

from genwright.core import ClaimDraft, Derivation
from genwright.core.protocols import Candidate, Measured
from genwright.modalities.chat.config import ChatMetricsConfig
from genwright.modalities.chat.messages import answer, chats

WORD = re.compile(r"[a-z0-9]+")
_chrf = CHRF()


def chrf(found: str, wanted: str, /) -> float:
    """chrF2 of one answer, 0 to 1: F2 over pieces of 1 to 6 characters. Source: Popovic 2015, by sacrebleu."""
    return float(_chrf.sentence_score(found, [wanted]).score) / 100.0


def rouge_l(found: str, wanted: str, /) -> float:
    """F1 of the longest common subsequence of lower-case words. Source: Lin 2004, section 3, beta = 1.

    >>> rouge_l("Return the sum.", "Return a sum")
    0.6666666666666666
    """
    left, right = WORD.findall(found.lower()), WORD.findall(wanted.lower())
    common = _longest_common(left, right)
    return 2.0 * common / (len(left) + len(right)) if common else 0.0


def _longest_common(left: Sequence[str], right: Sequence[str]) -> int:
    row = [0] * (len(right) + 1)
    for word in left:
        before = row
        row = [0]
        for place, other in enumerate(right):
            row.append(before[place] + 1 if word == other else max(row[place], before[place + 1]))
    return row[-1]


def exact(found: str, wanted: str, /) -> float:
    """1 where both are equal but for white space around and between words."""
    return float(found.split() == wanted.split())


METRICS: Mapping[str, Callable[[str, str], float]] = {"chrf": chrf, "rouge_l": rouge_l, "exact": exact}


def measure(candidates: Sequence[Candidate], *, test: pa.Table, config: ChatMetricsConfig) -> Measured:
    """Each metric of each candidate's answers, and the first candidate minus each other, paired by question.

    Wilcoxon's p-values are Holm's, over all that the first candidate is compared with by the same metric.
    """
    wanted = [answer(chat) for chat in chats(test)]
    columns: dict[str, list[Any]] = {name: test.column(name).to_pylist() for name in ("id", "group")}
    for candidate in candidates:
        found = [answer(chat) for chat in chats(candidate.rows)]
        columns[f"words_{candidate.name}"] = [len(text.split()) for text in found]
        for metric in config.metrics:
            pairs = zip(found, wanted, strict=True)
            columns[f"{metric}_{candidate.name}"] = [METRICS[metric](one, other) for one, other in pairs]
    columns["words_reference"] = [len(text.split()) for text in wanted]
    return Measured(columns, _drafts(candidates, config))


def _drafts(candidates: Sequence[Candidate], config: ChatMetricsConfig) -> list[ClaimDraft]:
    system, *others = candidates
    drafts = [
        _mean(metric, candidate.name, candidate.label, config) for metric in config.metrics for candidate in candidates
    ]
    for metric in config.metrics:
        drafts += [_difference(metric, system, other, config) for other in others]
        drafts += [_ratio(metric, system, other, config) for other in others]
        drafts += [_test(metric, system, other, others) for other in others]
    sides = [*((one.name, one.label) for one in candidates), ("reference", "reference answers")]
    return [*drafts, *(_mean("words", name, label, config) for name, label in sides)]


def _mean(metric: str, name: str, label: str, config: ChatMetricsConfig) -> ClaimDraft:
    derivation = Derivation("mean", {"value": f"{metric}_{name}"}, **_interval(config))
    is_length = metric == "words"
    return ClaimDraft(
        "system",
        "answer_length" if is_length else metric,
        "words" if is_length else "1",
        "scores",
        derivation,
        label=label,
        data="dataset",
        better="neither" if is_length else "higher",
        headline=not is_length,
    )


def _difference(metric: str, system: Candidate, other: Candidate, config: ChatMetricsConfig) -> ClaimDraft:
    roles = {"a": f"{metric}_{system.name}", "b": f"{metric}_{other.name}"}
    derivation = Derivation("mean_difference", roles, **_interval(config))
    return ClaimDraft(
        "system", f"{metric}_difference", "1", "scores", derivation,
        label=f"system minus {_plain(other)}", data="dataset", better="higher",
    )  # fmt: skip


def _ratio(metric: str, system: Candidate, other: Candidate, config: ChatMetricsConfig) -> ClaimDraft:
    """The mean of one over that of the other: what a margin in per cent is of."""
    roles = {"numerator": f"{metric}_{system.name}", "denominator": f"{metric}_{other.name}"}
    return ClaimDraft(
        "system", f"{metric}_ratio", "1", "scores", Derivation("ratio", roles, **_interval(config)),
        label=f"system over {_plain(other)}", data="dataset", better="higher", headline=False,
    )  # fmt: skip


def _test(metric: str, system: Candidate, other: Candidate, others: Sequence[Candidate]) -> ClaimDraft:
    rest = [one for one in others if one is not other]
    roles = {"a": f"{metric}_{system.name}", "b": f"{metric}_{other.name}"}
    roles |= {f"also_{place}": f"{metric}_{one.name}" for place, one in enumerate(rest)}
    return ClaimDraft(
        "system", f"{metric}_difference_holm_p", "1", "scores",
        Derivation("wilcoxon_holm_p", roles, cluster="group"),
        label=f"system minus {_plain(other)}", data="dataset", better="lower", headline=False,
    )  # fmt: skip


def _plain(candidate: Candidate) -> str:
    return candidate.label.partition(": ")[2] or candidate.name


def _interval(config: ChatMetricsConfig) -> dict[str, Any]:
    return {"interval": "bootstrap", "level": config.level, "cluster": "group", "resamples": config.resamples}
