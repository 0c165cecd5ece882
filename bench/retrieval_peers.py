"""One framework at its documented defaults over one corpus: what it finds, and what reading the corpus cost.

python retrieval_peers.py FRAMEWORK JOB OUT    JOB: {model, documents: [{id, path, text}], questions, k}
It runs in an environment of its own, where the frameworks are; nothing here imports the project.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Found = list[list[tuple[str, str]]]  # per question: (document, text), the best first
Run = tuple[list[tuple[str, str]], float, Found]  # chunks, CPU seconds of reading, what was found


def llamaindex(job: dict[str, Any], *, hybrid: bool = False) -> Run:
    """`VectorStoreIndex.from_documents`; hybrid: with BM25 by reciprocal rank fusion, as its guide has it."""
    from llama_index.core import Document, Settings, VectorStoreIndex
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    Settings.llm = None
    Settings.embed_model = HuggingFaceEmbedding(model_name=job["model"])
    documents = [Document(text=one["text"], doc_id=one["id"]) for one in job["documents"]]
    start = time.process_time()
    index = VectorStoreIndex.from_documents(documents)
    spent = time.process_time() - start
    nodes = list(index.docstore.docs.values())
    retriever: Any = index.as_retriever(similarity_top_k=job["k"])
    if hybrid:
        from llama_index.core.retrievers import QueryFusionRetriever
        from llama_index.retrievers.bm25 import BM25Retriever

        start = time.process_time()
        words = BM25Retriever.from_defaults(docstore=index.docstore, similarity_top_k=job["k"])
        spent += time.process_time() - start
        retriever = QueryFusionRetriever(
            [retriever, words], similarity_top_k=job["k"], num_queries=1, mode="reciprocal_rerank", use_async=False
        )
    found = [[(one.node.ref_doc_id, one.node.text) for one in retriever.retrieve(text)] for text in job["questions"]]
    return [(node.ref_doc_id, node.text) for node in nodes], spent, found


def langchain(job: dict[str, Any]) -> Run:
    """`RecursiveCharacterTextSplitter` of 1,000 characters with 200 in common, and Chroma: its tutorial."""
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    embeddings = HuggingFaceEmbeddings(model_name=job["model"])
    documents = [Document(page_content=one["text"], metadata={"id": one["id"]}) for one in job["documents"]]
    start = time.process_time()
    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200, add_start_index=True)
    chunks = splitter.split_documents(documents)
    store = Chroma.from_documents(chunks, embeddings)
    spent = time.process_time() - start
    found = [store.similarity_search(text, k=job["k"]) for text in job["questions"]]
    pairs = [[(one.metadata["id"], one.page_content) for one in each] for each in found]
    return [(one.metadata["id"], one.page_content) for one in chunks], spent, pairs


def txtai(job: dict[str, Any], *, hybrid: bool = False) -> Run:
    """Paragraphs by its segmentation, and `Embeddings` with contents."""
    from txtai import Embeddings
    from txtai.pipeline import Segmentation

    start = time.process_time()
    segments = Segmentation(paragraphs=True)
    chunks = [(one["id"], text) for one in job["documents"] for text in segments(one["text"])]
    loaded = time.process_time()
    embeddings = Embeddings(path=job["model"], content=True, hybrid=hybrid)
    start += time.process_time() - loaded
    embeddings.index([(at, text, None) for at, (_, text) in enumerate(chunks)])
    spent = time.process_time() - start
    found = [[chunks[int(one["id"])] for one in embeddings.search(text, job["k"])] for text in job["questions"]]
    return chunks, spent, found


def haystack(job: dict[str, Any], *, hybrid: bool = False) -> Run:
    """`DocumentSplitter` by 200 words and the in-memory store; hybrid: its joiner by reciprocal rank fusion."""
    from haystack import Document
    from haystack.components.joiners import DocumentJoiner
    from haystack.components.preprocessors import DocumentSplitter
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack_integrations.components.embedders.sentence_transformers import (
        SentenceTransformersDocumentEmbedder,
        SentenceTransformersTextEmbedder,
    )

    embedder = SentenceTransformersDocumentEmbedder(model=job["model"], progress_bar=False)
    asker = SentenceTransformersTextEmbedder(model=job["model"], progress_bar=False)
    splitter = DocumentSplitter()
    for one in (embedder, asker, splitter):
        one.warm_up()
    documents = [Document(content=one["text"], meta={"name": one["id"]}) for one in job["documents"]]
    store = InMemoryDocumentStore()
    start = time.process_time()
    chunks = splitter.run(documents=documents)["documents"]
    store.write_documents(embedder.run(documents=chunks)["documents"])
    spent = time.process_time() - start
    dense = InMemoryEmbeddingRetriever(store, top_k=job["k"])
    words = InMemoryBM25Retriever(store, top_k=job["k"])
    joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=job["k"])
    found = []
    for text in job["questions"]:
        each = dense.run(query_embedding=asker.run(text=text)["embedding"])["documents"]
        if hybrid:
            each = joiner.run(documents=[each, words.run(query=text)["documents"]])["documents"]
        found.append([(one.meta["name"], one.content) for one in each])
    return [(one.meta["name"], one.content) for one in chunks], spent, found


FRAMEWORKS: dict[str, Callable[[dict[str, Any]], Run]] = {
    "LlamaIndex": llamaindex,
    "LlamaIndex hybrid": lambda job: llamaindex(job, hybrid=True),
    "LangChain + Chroma": langchain,
    "txtai": txtai,
    "txtai hybrid": lambda job: txtai(job, hybrid=True),
    "Haystack": haystack,
    "Haystack hybrid": lambda job: haystack(job, hybrid=True),
}


def main() -> None:
    """One framework, one job, one file."""
    import torch
    from transformers import AutoTokenizer

    torch.set_num_threads(1)
    name, job_path, out = sys.argv[1:]
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    chunks, spent, found = FRAMEWORKS[name](job)
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    lengths = [len(tokenizer(text, truncation=False)["input_ids"]) for _, text in chunks]
    truncated = sum(max(0, length - job["window"]) for length in lengths)
    body = {"seconds": spent, "chunks": len(chunks), "truncated": truncated, "tokens": sum(lengths), "found": found}
    Path(out).write_text(json.dumps(body), encoding="utf-8")


if __name__ == "__main__":
    main()
