"""What the data stage claims of a dataset; all of it follows from the scores table."""

from collections.abc import Mapping, Sequence
from typing import Any

from genwright.core import ClaimDraft, Derivation
from genwright.modalities.dataset import SPLITS
from genwright.stages.data.outcome import Row


def claims_of(rows: Sequence[Row]) -> list[ClaimDraft]:
    """Documents kept and dropped, sizes of the splits, duplicates, redactions and contamination."""
    reasons = sorted({row.reason for row in rows if row.reason})
    counted = [_count("documents_kept", where={"status": "kept"}, headline=True)]
    counted += [_count("documents_dropped", where={"reason": reason}, label=reason) for reason in reasons]
    counted += [_count("documents", where={"split": split}, label=split) for split in SPLITS]
    summed = [
        _sum("text_bytes", "bytes", "bytes_out", label=split, where={"split": split}, headline=True) for split in SPLITS
    ]
    summed.append(_sum("redactions", "redactions", "redactions"))
    summed.append(_sum("passages_removed", "passages", "passages_removed"))
    return [*counted, *summed, _NEAR_DUPLICATES, _CONTAMINATION]


def _draft(metric: str, unit: str, derivation: Derivation, *, label: str = "", headline: bool = False) -> ClaimDraft:
    return ClaimDraft(
        "dataset", metric, unit, "data_scores", derivation, label=label, data="dataset", headline=headline
    )


def _count(metric: str, *, where: Mapping[str, Any], label: str = "", headline: bool = False) -> ClaimDraft:
    return _draft(metric, "documents", Derivation("count", {}, where=where), label=label, headline=headline)


def _sum(
    metric: str,
    unit: str,
    column: str,
    *,
    label: str = "",
    where: Mapping[str, Any] | None = None,
    headline: bool = False,
) -> ClaimDraft:
    return _draft(metric, unit, Derivation("sum", {"value": column}, where=where or {}), label=label, headline=headline)


# Of the documents that reached the comparison, the share for which another stands.
_NEAR_DUPLICATES = _draft(
    "near_duplicate_share",
    "share of documents",
    Derivation("proportion", {"value": "near_duplicate"}, interval="wilson"),
)
# Of the word n-grams of test documents, the share that the train split holds, too.
_CONTAMINATION = ClaimDraft(
    subject="dataset",
    metric="contamination_share",
    unit="share of n-grams",
    scores="data_scores",
    derivation=Derivation(
        "ratio",
        {"numerator": "ngrams_in_train", "denominator": "ngrams"},
        where={"split": "test"},
        interval="bootstrap",
        cluster="group",
    ),
    label="test in train",
    data="dataset",
    better="lower",
)
