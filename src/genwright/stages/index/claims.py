"""What the scores of an index claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genwright.core import ClaimDraft, Derivation
from genwright.stages.index.config import IndexConfig

TABLE = "retrieval_scores"
NAMES = {"recall_5": "recall_at_5", "recall_10": "recall_at_10", "reciprocal_rank": "mrr", "ndcg_10": "ndcg_at_10"}
PEERS = {"bm25": "BM25 alone", "dense": "dense alone"}


def content_claims() -> list[ClaimDraft]:
    """How much there is, what was cut off, and what is flagged."""

    def total(metric: str, column: str, unit: str, better: Any = "neither", *, headline: bool = True) -> ClaimDraft:
        derivation = Derivation("sum", {"value": column}, where={"row": "document"})
        return ClaimDraft("index", metric, unit, TABLE, derivation, data="dataset", better=better, headline=headline)

    number = Derivation("count", {}, where={"row": "document"})
    return [
        ClaimDraft("index", "documents", "documents", TABLE, number, data="dataset"),
        total("chunks", "chunks", "chunks"),
        total("truncated_tokens", "truncated_tokens", "tokens", "lower"),
        total("flagged_chunks", "flagged_chunks", "chunks", "lower", headline=False),
    ]


def test_claims(config: IndexConfig, origins: Sequence[str], main: str, /) -> list[ClaimDraft]:
    """What is found on the test half, by where the questions come from; beside it BM25 and dense search alone."""
    found: list[ClaimDraft] = []
    for origin in origins:
        where = {"row": "test", **({} if origin == "all" else {"origin": origin})}
        label = "" if origin == main else ("all questions" if origin == "all" else f"questions by {origin}")
        number = Derivation("count", {}, where=where)
        found.append(
            ClaimDraft("index", "questions", "questions", TABLE, number, label=label, data="questions", headline=False)
        )
        for column, metric in NAMES.items():
            found.append(_mean(metric, column, where, config, label, headline=origin == main))
            for peer, said in PEERS.items():
                name = f"{label}: {said}" if label else said
                found.append(_mean(metric, f"{column}_{peer}", where, config, name, headline=False))
        found += _differences(where, config, label, headline=origin == main)
    return found


def development_claims(names: Sequence[str], best: str, config: IndexConfig, main: str, /) -> list[ClaimDraft]:
    """nDCG of each way on the development half; that of the chosen one is the best of many."""
    found = []
    for name in names:
        chosen = f"chosen, best of {len(names)} on these questions: " if name == best else ""
        where = {"row": "development", "way": name, **({} if main == "all" else {"origin": main})}
        found.append(_mean("development_ndcg_at_10", "ndcg_10", where, config, f"{chosen}{name}", headline=False))
    return found


def _mean(
    metric: str, column: str, where: dict[str, Any], config: IndexConfig, label: str, *, headline: bool
) -> ClaimDraft:
    derivation = Derivation("mean", {"value": column}, where=where, **_interval(config))
    return ClaimDraft(
        "index", metric, "1", TABLE, derivation, label=label, data="questions", better="higher", headline=headline
    )


def _differences(where: dict[str, Any], config: IndexConfig, label: str, *, headline: bool) -> list[ClaimDraft]:
    found = []
    for peer, said in PEERS.items():
        other = next(name for name in PEERS if name != peer)
        pair = {"a": "ndcg_10", "b": f"ndcg_10_{peer}"}
        mean = Derivation("mean_difference", pair, where=where, **_interval(config))
        test = Derivation("wilcoxon_holm_p", {**pair, "also_1": f"ndcg_10_{other}"}, where=where, cluster="group")
        about = f"{label}: against {said}" if label else f"against {said}"
        metric = "ndcg_at_10_difference"
        found += [
            ClaimDraft("index", metric, "1", TABLE, mean, "1", about, "questions", "higher", headline),
            ClaimDraft("index", f"{metric}_p", "p", TABLE, test, "1", about, "questions", "neither", headline),
        ]
    return found


def _interval(config: IndexConfig) -> dict[str, Any]:
    return {"interval": "bootstrap", "level": config.level, "cluster": "group", "resamples": config.resamples}
