"""LangChain and LlamaIndex get what the index finds, with its place."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from genwright.systems.retrieval.passage import Passage, Retrieved

PASSAGE = Passage(
    "manual#4-9",
    "manual",
    "The manual",
    ("The manual", "Parts"),
    4,
    9,
    "parts",
    0.5,
    0.4,
    3.0,
    4,
    "https://a/b",
    "docs",
)


class Searched:
    """Remembers what was asked."""

    def __init__(self, degraded=""):
        self.asked, self.degraded = [], degraded

    def search(self, query, /, *, k=10, filters=None, exclude=()):
        self.asked.append((query, k, filters))
        second = replace(PASSAGE, chunk="manual#20-24", start=20, end=24, text="more", score=0.25)
        return Retrieved(query, (PASSAGE, second)[:k], degraded=self.degraded)


def test_langchain_retrieves():
    pytest.importorskip("langchain_core")
    from genwright.systems.retrieval.langchain import GenwrightRetriever

    index = Searched()
    retriever = GenwrightRetriever(index=index, k=2, filters={"source": ["docs"]})
    first, second = retriever.invoke("where are parts?")
    assert index.asked == [("where are parts?", 2, {"source": ["docs"]})]
    assert (first.page_content, first.id, second.page_content) == ("parts", "manual#4-9", "more")
    assert (first.metadata["document"], first.metadata["start"], first.metadata["end"]) == ("manual", 4, 9)
    assert first.metadata["url"] == "https://a/b" and first.metadata["score"] == 0.5
    chain = retriever | (lambda found: [one.page_content for one in found])
    assert chain.invoke("x") == ["parts", "more"]
    assert asyncio.run(retriever.ainvoke("x"))[0].id == "manual#4-9"
    (told, *_) = GenwrightRetriever(index=Searched("words alone")).invoke("x")
    assert told.metadata["degraded"] == "words alone"


@pytest.mark.slow
def test_llamaindex_retrieves():
    pytest.importorskip("llama_index.core")
    from genwright.systems.retrieval.llamaindex import GenwrightRetriever

    index = Searched()
    first, second = GenwrightRetriever(index, k=2).retrieve("where are parts?")
    assert index.asked == [("where are parts?", 2, None)]
    assert (first.node.text, first.node.node_id, first.score) == ("parts", "manual#4-9", 0.5)
    assert (first.node.start_char_idx, first.node.end_char_idx, second.score) == (4, 9, 0.25)
    assert first.node.metadata["path"] == ["The manual", "Parts"]
    assert asyncio.run(GenwrightRetriever(index, k=1).aretrieve("x"))[0].node.text == "parts"


@pytest.mark.parametrize("name", ["langchain", "llamaindex"])
def test_each_is_small(name):
    import genwright.systems.retrieval as room

    assert len((Path(room.__file__).parent / f"{name}.py").read_text().splitlines()) < 50
