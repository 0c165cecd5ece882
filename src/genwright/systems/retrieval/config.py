"""Settings of a search. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genwright.core import Config

Fusion = Literal["scores", "rrf", "dense", "bm25"]
Engine = Literal["exact", "edge", "postgres", "qdrant"]
SCANNED = 20_000
"""Where a filter leaves fewer rows than this, they are scanned exactly, whatever the engine."""


class SearchConfig(Config):
    """How passages are found.

    `fusion` joins the first `depth` of the dense search and of BM25. By `scores` a passage has its cosine, and
    `bm25_weight` times its share of the best BM25 of the search. By `rrf` a passage at rank r (from 1 on) of one of
    them gets weight / (`rrf_k` + r), the dense search has `dense_weight` and BM25 has 1. `per_section` gives at most so
    many chunks of one section (None: no bound), and with `copies = "once"` the same words are shown once, however many
    documents hold them.

    The first passages may then be read again, each look adding its weight times what it says to a passage's score:
    `late_interaction` how near each token of the question comes to some token of the passage (one pass of the encoder
    for a passage that was not met before), `rerank` what the reranker beside the index says, `likelihood` the nats per
    token of the question behind the passage under the project's language model (one pass of it for each passage of
    each question). Of the first `join_depth` passages, those of one section that follow each other are shown as one of
    at most `join_characters` characters, in the place of the better (0: never).

    `engine` searches vectors: `exact` scans all of them; `edge` is an approximate index in a file, for 200,000 vectors
    and more; `postgres` and `qdrant` are servers, at `url`.
    """

    fusion: Fusion = "scores"
    bm25_weight: float = Field(default=0.2, ge=0.0)
    rrf_k: float = Field(default=10.0, ge=0.0)
    dense_weight: float = Field(default=2.0, gt=0.0)
    depth: int = Field(default=100, ge=1, le=10_000)
    per_section: int | None = Field(default=None, ge=1)
    copies: Literal["once", "all"] = "once"
    late_interaction: Literal["on", "off"] = "off"
    late_depth: int = Field(default=20, ge=1, le=1000)
    late_weight: float = Field(default=1.5, ge=0.0)
    rerank: Literal["on", "off"] = "off"
    rerank_depth: int = Field(default=50, ge=1, le=1000)
    rerank_weight: float = Field(default=3.0, ge=0.0)
    likelihood: Literal["on", "off"] = "off"
    likelihood_depth: int = Field(default=10, ge=1, le=1000)
    likelihood_weight: float = Field(default=0.3, ge=0.0)
    join_depth: int = Field(default=20, ge=1, le=1000)
    join_characters: int = Field(default=2000, ge=0, le=1_000_000)
    engine: Engine = "exact"
    url: str | None = None
