"""Settings of a search. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genwright.core import Config

Fusion = Literal["rrf", "dense", "bm25"]
Engine = Literal["exact", "edge", "postgres", "qdrant"]
SCANNED = 20_000
"""Where a filter leaves fewer rows than this, they are scanned exactly, whatever the engine."""


class SearchConfig(Config):
    """How passages are found.

    `fusion = "rrf"` joins the first `depth` of the dense search and of BM25: a passage at rank r (from 1 on) of one of
    them gets weight / (`rrf_k` + r), the dense search has `dense_weight` and BM25 has 1. `per_section` gives at most so
    many chunks of one section (None: no bound), and with `copies = "once"` the same words are shown once, however many
    documents hold them. `engine` searches vectors: `exact` scans all of them; `edge` is an
    approximate index in a file, for 200,000 vectors and more; `postgres` and `qdrant` are servers, at `url`.
    """

    fusion: Fusion = "rrf"
    rrf_k: float = Field(default=10.0, ge=0.0)
    dense_weight: float = Field(default=2.0, gt=0.0)
    depth: int = Field(default=100, ge=1, le=10_000)
    per_section: int | None = Field(default=None, ge=1)
    copies: Literal["once", "all"] = "once"
    engine: Engine = "exact"
    url: str | None = None
