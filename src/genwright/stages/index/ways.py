"""The ways to cut and to search that are tried."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from genwright.modalities.document.config import ChunkConfig
from genwright.stages.index.config import IndexConfig
from genwright.systems.retrieval.config import SearchConfig


@dataclass(frozen=True)
class Way:
    """One way: a number for its chunks, and a name that says what it is."""

    name: str
    chunk: ChunkConfig
    search: SearchConfig


def ways_of(config: IndexConfig, /) -> list[Way]:
    """Every way once, that of `chunk` and `search` first."""
    over = config.search_over
    searches = [config.search]
    for fusion, k, weight, words in product(
        over.fusions or (config.search.fusion,),
        over.rrf_ks or (config.search.rrf_k,),
        over.dense_weights or (config.search.dense_weight,),
        over.bm25_weights or (config.search.bm25_weight,),
    ):
        own = {"rrf": {"rrf_k": k, "dense_weight": weight}, "scores": {"bm25_weight": words}}
        searches.append(config.search.model_copy(update={"fusion": fusion, **own.get(fusion, {})}))
    cuts = list(dict.fromkeys((config.chunk, *over.chunks)))
    found: dict[str, Way] = {}
    for number, chunk in enumerate(cuts, start=1):
        for search in searches:
            name = _name(number if len(cuts) > 1 else None, chunk, search)
            found.setdefault(name, Way(name, chunk, search))
    return list(found.values())


def _name(number: int | None, chunk: ChunkConfig, search: SearchConfig) -> str:
    cut = "" if number is None else f"{_cut_name(chunk)}, "
    if search.fusion == "rrf":
        return f"{cut}rrf k {search.rrf_k:g}, dense weight {search.dense_weight:g}"
    return f"{cut}scores, bm25 weight {search.bm25_weight:g}" if search.fusion == "scores" else cut + search.fusion


def _cut_name(chunk: ChunkConfig) -> str:
    said = {
        name: value for name, value in chunk.model_dump().items() if value != ChunkConfig.model_fields[name].default
    }
    return "chunks " + (" ".join(f"{name} {value}" for name, value in said.items()) or "as they come")
