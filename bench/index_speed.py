"""What indexing and searching cost: CPU seconds on one thread, LangChain with Chroma at its defaults beside.

python bench/index_speed.py [PEERS_PYTHON]    an interpreter with langchain-chroma, langchain-huggingface and
                                              langchain-text-splitters; without it the peer is left out

The corpus is CPython's own topics, both with the same MiniLM. Importing and loading the model are not counted. A search
alone has the question's vector at hand. The large index holds 100,000 chunks: those of the topics again and again,
words shuffled and vectors moved a little.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import report
from genwright.cli.progress import make_progress
from genwright.modalities.document.chunk import chunks
from genwright.modalities.document.config import ChunkConfig, DocumentSourceConfig
from genwright.modalities.document.document import Chunk, Document
from genwright.modalities.document.reading import read_documents
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.packages import fetch
from genwright.modalities.files.sources import list_files
from genwright.nets.encoder import Encoder, load_encoder
from genwright.project.quiet import Quiet
from genwright.stages.index.building import cutting_of
from genwright.stages.index.config import MINILM
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.index import Index
from genwright.systems.retrieval.snapshot import write_snapshot
from genwright.systems.retrieval.store import Cutting, Store

ROUNDS = 3
NUM_CHUNKS = 100_000
QUESTIONS = Path(__file__).parents[1] / "recipes" / "python-help" / "questions.jsonl"
PEER = """
import json, sys, time
import torch
torch.set_num_threads(1)
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter
job = json.load(open(sys.argv[1]))
embeddings = HuggingFaceEmbeddings(model_name=job["model"])
embeddings.embed_query("warm")
documents = [Document(page_content=text, metadata={"name": name}) for name, text in job["documents"]]
start = time.process_time()
splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200, add_start_index=True)
chunks = splitter.split_documents(documents)
Chroma.from_documents(chunks, embeddings, persist_directory=job["folder"])
spent = time.process_time() - start
print(json.dumps({"seconds": spent, "chunks": [one.page_content for one in chunks]}))
"""


def timed(call: Callable[[], Any]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def ingest(documents: Sequence[Document], encoder: Encoder, folder: Path) -> tuple[float, float]:
    """CPU seconds from texts to an index that answers, and of the same again with nothing changed."""
    cutting = cutting_of(ChunkConfig(), encoder)

    def once(name: str) -> None:
        (folder / name).mkdir()
        with Store(folder / "store.sqlite") as store:
            store.update(documents, cutting=cutting, encoder=encoder, progress=Quiet())
            write_snapshot(store, folder / name, encoder=encoder.identity, settings={})
        Index.open(folder / name, encoder=encoder, cache=folder / "cache")

    return timed(lambda: once("first")), timed(lambda: once("again"))


def peer(python: str, documents: Sequence[Document], model: Path, folder: Path) -> tuple[float, list[str]]:
    """CPU seconds of the peer, and its chunks."""
    job = {
        "model": str(model),
        "folder": str(folder / "chroma"),
        "documents": [(one.id, one.text) for one in documents],
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    done = subprocess.run(
        [python, "-c", PEER, str(folder / "job.json")], capture_output=True, text=True, check=True,
        env={"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    return found["seconds"], found["chunks"]


class Moved:
    """An encoder whose documents lie near given vectors; questions are embedded as ever."""

    def __init__(self, encoder: Encoder, vectors: Any) -> None:
        self._encoder, self._vectors, self._at = encoder, vectors, 0
        self._rng = np.random.default_rng(0)
        self.window_tokens, self.num_special, self.d = encoder.window_tokens, encoder.num_special, encoder.d
        self.identity, self.precision, self.truncated_tokens = encoder.identity, encoder.precision, 0

    def embed(self, texts: Sequence[str], /, *, role: str = "document") -> Any:
        """Vectors in the order of the chunks that were copied."""
        if role == "query":
            return self._encoder.embed(texts, role="query")
        rows = self._vectors[(self._at + np.arange(len(texts))) % len(self._vectors)]
        self._at += len(texts)
        moved = rows + 0.04 * self._rng.standard_normal(rows.shape).astype(np.float32)
        return moved / np.linalg.norm(moved, axis=1, keepdims=True)

    def count(self, text: str, /) -> int:
        """Nothing is cut off."""
        return 0

    def cut(self, text: str, /) -> tuple[str, int]:
        """As the encoder's."""
        return self._encoder.cut(text)


class Known:
    """An encoder that has the vectors of its questions at hand: a search with it is a search alone."""

    def __init__(self, encoder: Encoder, questions: Sequence[str]) -> None:
        self._encoder = encoder
        self.vectors = dict(zip(questions, encoder.embed(questions, role="query"), strict=True))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def embed(self, texts: Sequence[str], /, *, role: str = "document") -> Any:
        """The vectors of questions that it knows."""
        assert role == "query"
        return [self.vectors[text] for text in texts]


def pieces_of(documents: Sequence[Document], encoder: Encoder) -> list[str]:
    """The texts of all chunks."""
    return [
        one.text[chunk.start : chunk.end]
        for one in documents
        for chunk in chunks(one, config=ChunkConfig(), count=encoder.count, window_tokens=encoder.window_tokens)
    ]


def many(pieces: Sequence[str]) -> Iterator[Document]:
    """Documents of one chunk each, with the words of a piece."""
    rng = np.random.default_rng(1)
    words = [piece.split() for piece in pieces]
    for at in range(NUM_CHUNKS):
        own = words[at % len(words)]
        yield Document(f"{at:06}", f"Part {at}", " ".join(own[int(place)] for place in rng.permutation(len(own))))


def large(documents: Sequence[Document], encoder: Encoder, folder: Path) -> Path:
    """A snapshot of `NUM_CHUNKS` chunks."""
    pieces = pieces_of(documents, encoder)
    moved = Moved(encoder, encoder.embed(pieces))
    whole = Cutting(lambda one: [Chunk(one.id, 0, 0, len(one.text), one.title)], "whole")
    with Store(folder / "large.sqlite") as store:
        store.update(many(pieces), cutting=whole, encoder=moved, progress=Quiet())
        (folder / "large").mkdir()
        write_snapshot(store, folder / "large", encoder=encoder.identity, settings={})
    return folder / "large"


def nearest(engine: Any, vector: Any) -> set[int]:
    """The ten best rows."""
    return {row for row, _ in engine.search(vector, limit=10, mask=None)}


def searched(folder: Path, encoder: Encoder, engine: str, cache: Path) -> dict[str, float]:
    """Medians in CPU milliseconds over the questions of the recipe: with and without embedding, and recall."""
    questions = [json.loads(line)["question"] for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    known = Known(encoder, questions)
    costs = {}
    for name, one in (("whole", encoder), ("alone", known)):
        index = Index.open(folder, encoder=one, cache=cache, config=SearchConfig(engine=engine))  # type: ignore[arg-type]
        index.search_many(questions[:10])
        spent = [timed(lambda index=index, text=text: index.search(text)) for text in questions]  # type: ignore[misc]
        costs[name] = 1000 * statistics.median(spent)
    exact = index._dense.exact if engine != "exact" else index._dense  # type: ignore[union-attr]
    recall = statistics.mean(len(nearest(index._dense, v) & nearest(exact, v)) / 10 for v in known.vectors.values())
    return costs | {"recall": recall}


def main() -> None:
    """Both by turns; then the large index."""
    torch.set_num_threads(1)
    source = FilesConfig(path=MINILM, licence="Apache-2.0")
    fetch([source], progress=make_progress(as_json=False))
    model = next(file.path.parent for file in list_files(source, root=Path()) if file.name.endswith("modules.json"))
    encoder = load_encoder(model)
    encoder.embed(["warm"])
    topics = DocumentSourceConfig(path="python:pydoc_data/topics.py", format="python-dict", licence="PSF-2.0")
    documents = [one for one in read_documents(topics, root=Path()) if isinstance(one, Document)]
    size = sum(len(one.text.encode()) for one in documents) / 1024
    theirs: list[float] = []
    ours: list[tuple[float, float]] = []
    lost = 0
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            if len(sys.argv) > 1:
                seconds, made = peer(sys.argv[1], documents, model, Path(folder))
                theirs.append(seconds)
                lost = sum(max(0, encoder.count(text) + 2 - encoder.window_tokens) for text in made)
            ours.append(ingest(documents, encoder, Path(folder)))
    cut_off = encoder.truncated_tokens
    with tempfile.TemporaryDirectory() as folder:
        place = large(documents, encoder, Path(folder))
        exact = searched(place, encoder, "exact", Path(folder))
        edge = searched(place, encoder, "edge", Path(folder))
    write(size, ours, theirs, {"ours": cut_off, "theirs": lost}, exact, edge)


def write(
    size: float,
    ours: list[tuple[float, float]],
    theirs: list[float],
    lost: dict[str, int],
    exact: dict[str, float],
    edge: dict[str, float],
) -> None:
    """The file of results."""
    speed = statistics.median(size / first for first, _ in ours)
    again = statistics.median(first / second for first, second in ours)
    rows = [
        {"what": "ingest here", "value": round(speed, 1), "unit": "KB per CPU s"},
        {"what": "tokens cut off here", "value": lost["ours"], "unit": "tokens", "goal": "0"},
        {"what": "the same again, nothing changed", "value": round(again), "unit": "x as fast", "goal": "at least 50"},
    ]
    if theirs:
        ratio = statistics.median(a / b for a, (b, _) in zip(theirs, ours, strict=True))
        peer_speed = round(statistics.median(size / one for one in theirs), 1)
        rows += [
            {"what": "ingest, LangChain + Chroma", "value": peer_speed, "unit": "KB per CPU s"},
            {"what": "tokens cut off, LangChain + Chroma", "value": lost["theirs"], "unit": "tokens"},
            {"what": "times as fast, round by round", "value": round(ratio, 1), "unit": "x", "goal": "at least 1.5"},
        ]
    for name, found, goal in (("exact", exact, "at most 16"), ("edge", edge, "at most 3")):
        what, unit = f"{NUM_CHUNKS:,} chunks, {name}", "CPU ms (p50)"
        rows += [
            {"what": f"{what}: a question", "value": round(found["whole"], 1), "unit": unit, "goal": "at most 30"},
            {"what": f"{what}: search alone", "value": round(found["alone"], 1), "unit": unit, "goal": goal},
            {"what": f"{what}: recall at 10", "value": round(found["recall"], 3), "unit": "1"},
        ]
    report.write(
        "index_speed", title="Indexing and searching documents", command="python bench/index_speed.py PEERS_PYTHON",
        rows=rows, libraries=("torch", "tokenizers", "tantivy", "qdrant-edge-py", "numpy"),
        rounds={"here": ours, "langchain": theirs},
    )  # fmt: skip


if __name__ == "__main__":
    main()
