"""The index: exact, filtered, fused, honest about what it left out; derived files come back when they are lost."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from genwright.core import CapabilityError, SpecError
from genwright.modalities.document.config import ChunkConfig
from genwright.modalities.document.document import Chunk
from genwright.project.quiet import Quiet
from genwright.systems.retrieval.bm25 import Bm25
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.engine import best_rows
from genwright.systems.retrieval.fusion import at_most_per, reciprocal_ranks, weighted_scores
from genwright.systems.retrieval.index import Index
from genwright.systems.retrieval.snapshot import write_snapshot
from genwright.systems.retrieval.store import Cutting, Store

from .corpus import DOCUMENTS, WordEncoder, cutting_for, document

pytest.importorskip("tantivy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("index")
    encoder = WordEncoder()
    with Store(made / "store.sqlite") as store:
        store.update(DOCUMENTS, cutting=cutting_for(encoder), encoder=encoder, progress=Quiet())
        (made / "snapshot").mkdir()
        write_snapshot(store, made / "snapshot", encoder=encoder.identity, settings={"search": {"depth": 50}})
    return made


@pytest.fixture
def index(folder):
    return Index.open(folder / "snapshot", encoder=WordEncoder(), cache=folder / "cache")


def test_it_finds_what_is_asked_for(index):
    found = index.search("Which planet circles a star?", k=2)
    assert found.passages[0].document == "stars" and found.passages[0].path[-1] == "Planets"
    first = found.passages[0]
    assert index.document("stars").text[first.start : first.end] == first.text
    assert first.cosine == pytest.approx(found.best_cosine) and first.bm25 == pytest.approx(found.best_bm25)
    assert found.passages[0].score > found.passages[1].score
    assert set(found.seconds) == {"embed", "bm25", "dense", "fuse", "read", "match"}
    assert not found.degraded and first.source == "sky"
    assert index.config.depth == 50, "as it was made to be searched"
    assert index.config.join_characters == 0, "made before passages were joined"
    assert [one.id for one in index.documents()] == ["code", "fruit", "stars"]


@pytest.mark.parametrize("name", ["str.split_lines", "split lines", "splitting a line", "JoinWords", "joinwords"])
def test_names_are_found_whole_and_in_parts(index, name):
    words = index.searched(SearchConfig(fusion="bm25"))
    assert words.search(name, k=1).passages[0].document == "code"


def test_many_are_found_as_one_by_one(index):
    queries = ["a yellow banana", "the sun", "join words"]
    together = index.search_many(queries, exclude=[(), [("stars", 0, 10_000)], ()])
    assert [one.passages for one in together][::2] == [index.search(query).passages for query in queries][::2]
    assert "stars" not in {passage.document for passage in together[1].passages}
    assert index.search_many([]) == []


@pytest.mark.parametrize("fusion", ["scores", "rrf", "dense", "bm25"])
def test_filters_leave_nothing_else(index, fusion):
    searched = index.searched(SearchConfig(fusion=fusion, per_section=None))
    for filters, documents in [
        ({"source": ["sky"]}, {"stars"}),
        ({"document": ["fruit", "stars"]}, {"fruit", "stars"}),
        ({"title": "Working with text"}, {"code"}),
        ({"path": ["Bananas"]}, {"fruit"}),
        ({"source": ["food"], "path": ["Stars"]}, set()),
    ]:
        found = searched.search("a star, an apple, a banana and a text", filters=filters)
        assert {passage.document for passage in found.passages} == documents
    assert searched.search("sun", filters={"document": ["fruit"]}).best_bm25 == 0.0
    with pytest.raises(SpecError, match="no filter 'author'"):
        searched.search("x", filters={"author": ["y"]})


def test_excluded_spans_are_as_if_they_were_not_there(index):
    first = index.search("planet circles star").passages[0]
    without = index.search("planet circles star", exclude=[(first.document, first.start, first.start + 1)])
    assert first.chunk not in [passage.chunk for passage in without.passages]
    assert without.best_bm25 < first.bm25 and without.best_cosine < first.cosine


def test_a_section_is_shown_once(index):
    many = index.searched(SearchConfig(per_section=None))
    assert len(many.search("banana apple").passages) >= len(index.search("banana apple").passages)
    sections = [(one.document, one.section) for one in index.search("banana apple star text").passages]
    assert len(sections) == len(set(sections))


def test_what_only_words_found_has_the_cosine_of_its_best_part(tmp_path):
    text = "the first words stand here, the zebra stands at the end"
    made = [document(f"n{at}", text.replace("zebra", f"zebra{at}")) for at in range(4)]
    middle, encoder = text.index("the zebra"), WordEncoder()

    def cut(one):
        spans = ((0, middle), (middle, len(one.text)))
        return [Chunk(one.id, 0, 0, len(one.text), one.title, parts=spans)]

    with Store(tmp_path / "s.sqlite") as store:
        store.update(made, cutting=Cutting(cut, "parts"), encoder=encoder, progress=Quiet())
        write_snapshot(store, tmp_path, encoder=encoder.identity, settings={})
    index = Index.open(tmp_path, encoder=encoder, cache=tmp_path / "cache")
    assert (index.snapshot.facts.num_chunks, index.snapshot.facts.num_vectors) == (4, 8)
    vector = encoder.embed(["zebra1"])[0]
    cosines = {int(row): -1.0 for row in index.snapshot.owners}
    for row, cosine in zip(index.snapshot.owners, index._dense.matrix @ vector, strict=True):
        cosines[int(row)] = max(cosines[int(row)], float(cosine))
    shallow = index.searched(SearchConfig(depth=1, copies="all"))
    bm25 = [(row, 1.0) for row in cosines]
    completed = dict(shallow._completed([(0, cosines[0])], bm25, vector))
    assert completed == pytest.approx(cosines, abs=1e-6)


def test_the_same_words_are_shown_once(tmp_path):
    twice = [*DOCUMENTS, replace(DOCUMENTS[2], id="sky", text=DOCUMENTS[2].text.replace("A planet", "A  planet"))]
    encoder = WordEncoder()
    with Store(tmp_path / "s.sqlite") as store:
        store.update(twice, cutting=cutting_for(encoder), encoder=encoder, progress=Quiet())
        write_snapshot(store, tmp_path, encoder=encoder.identity, settings={})
    found = Index.open(tmp_path, encoder=encoder, cache=tmp_path / "cache")
    texts = [" ".join(one.text.split()) for one in found.search("planet star").passages]
    assert len(texts) == len(set(texts)) and any("circles" in text for text in texts)
    copies = found.searched(SearchConfig(copies="all")).search("planet star").passages
    assert sum("circles" in one.text for one in copies) == 2


def test_questions_of_any_size(index):
    found = index.searched(SearchConfig(fusion="bm25")).search("banana " + "nothing " * 20_000, k=1)
    assert found.passages[0].document == "fruit"
    assert "its last 19,940 tokens were left out" in found.degraded
    for question in ("", " \n"):
        with pytest.raises(SpecError, match="the question is empty"):
            index.search(question)
    with pytest.raises(SpecError, match="k is 0"):
        index.search("banana", k=0)
    assert index.searched(SearchConfig(fusion="bm25")).search("?!").passages == ()


def test_an_engine_that_is_gone_degrades_to_words(index):
    class Gone:
        def search(self, query, /, *, limit, mask):
            raise ConnectionError("no server at example:5432")

    index._dense = Gone()
    found = index.search("banana")
    assert found.passages[0].document == "fruit" and found.best_cosine == 0.0
    assert "no server at example:5432" in found.degraded and "by words alone" in found.degraded
    assert set(found.seconds) == {"embed", "bm25", "dense", "fuse", "read", "match"}


def test_another_encoder_is_refused(folder):
    with pytest.raises(CapabilityError, match="another encoder"):
        Index.open(folder / "snapshot", encoder=WordEncoder("other"), cache=folder / "cache")
    with pytest.raises(SpecError, match="needs an encoder"):
        Index.open(folder / "snapshot", encoder=None, cache=folder / "cache")
    words = Index.open(folder / "snapshot", encoder=None, cache=folder / "cache", config=SearchConfig(fusion="bm25"))
    assert words.search("banana").passages[0].cosine is None


@pytest.mark.parametrize("damage", ["gone", "short", "record", "lock"])
def test_lost_derived_files_are_made_again(folder, tmp_path, damage):
    cache = tmp_path / "cache"
    first = Index.open(folder / "snapshot", encoder=WordEncoder(), cache=cache).search("banana")
    (held,) = cache.iterdir()
    if damage == "gone":
        shutil.rmtree(held / "bm25" / "terms")
    elif damage == "short":
        (held / "exact" / "vectors.f32").write_bytes(b"1234")
    elif damage == "record":
        (held / "bm25" / "record.json").write_bytes(b"{")
    else:
        meta = held / "bm25" / "terms" / "meta.json"
        meta.write_bytes(b" " * meta.stat().st_size)
    again = Index.open(folder / "snapshot", encoder=WordEncoder(), cache=cache).search("banana")
    assert again.passages == first.passages


def test_threads_may_share_it(index):
    queries = ["banana", "planet", "words", "sun"] * 8
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(index.search, queries))
    assert [one.passages for one in found[:4]] == [one.passages for one in found[-4:]]


def test_the_best_of_equal_scores_are_the_first():
    scores = np.array([1, 3, 3, 2, 3], np.float32)
    assert best_rows(scores, None, limit=2) == [(1, 3.0), (2, 3.0)]
    assert best_rows(scores, np.arange(5) + 10, limit=9)[-1] == (10, 1.0)
    assert best_rows(scores[:0], None, limit=2) == []


def test_every_passage_has_a_cosine_where_scores_are_joined(index):
    for passage in index.search("banana bread", k=20).passages:
        assert passage.cosine is not None


def test_joined_scores_are_cosines_and_shares_of_the_best_words():
    joined = weighted_scores({1: 0.5, 2: 0.4, 3: 0.45}, {2: 8.0, 3: 2.0, 9: 1.0}, bm25_weight=0.2)
    assert joined == [(2, pytest.approx(0.6)), (1, 0.5), (3, pytest.approx(0.5))]
    assert weighted_scores({4: 0.1, 2: 0.1}, {}, bm25_weight=0.2) == [(2, 0.1), (4, 0.1)]


def test_fusion_weighs_ranks():
    assert reciprocal_ranks([([1, 2], 2.0), ([2], 1.0)], k=0) == [(1, 2.0), (2, 2.0)]
    assert [one for one, _ in reciprocal_ranks([([5, 6], 2.0), ([6, 7], 1.0)], k=10)] == [6, 5, 7]
    assert at_most_per([0, 0, 1, 0], most=1) == [0, 2]


def test_bm25_looks_further_where_a_filter_hides_the_first(tmp_path):
    from genwright.systems.retrieval.bm25 import write_terms

    write_terms(tmp_path / "t", ((row, "pear" if row < 3000 else "pear tree and more") for row in range(3010)))
    mask = np.zeros(3010, bool)
    mask[3000:] = True
    found = Bm25(tmp_path / "t").search("pear", limit=5, mask=mask)
    assert [row for row, _ in found] == [3000, 3001, 3002, 3003, 3004]


def test_neighbouring_chunks_are_one_passage_of_the_document(tmp_path):
    text = "# Moons\n\n" + "\n\n".join(f"Moon {n} of the planet turns {n} times around it." for n in range(9))
    encoder = WordEncoder()
    with Store(tmp_path / "store.sqlite") as store:
        cutting = cutting_for(encoder, ChunkConfig(max_tokens=32, part_tokens="whole"))
        store.update([document("moons", text)], cutting=cutting, encoder=encoder, progress=Quiet())
        (tmp_path / "snapshot").mkdir()
        write_snapshot(store, tmp_path / "snapshot", encoder=encoder.identity, settings={})
    whole = Index.open(tmp_path / "snapshot", encoder=encoder, cache=tmp_path / "cache", config=SearchConfig())
    apart = whole.searched(SearchConfig(join_characters=0))
    question, gold = "Which moon turns around the planet?", text.index("Moon 4 ")
    chunks = apart.search(question, k=20).passages
    (one,) = whole.search(question, k=20).passages
    assert len(chunks) > 3 and (one.start, one.end) == (min(c.start for c in chunks), max(c.end for c in chunks))
    assert one.text == text[one.start : one.end] and one.chunk == chunks[0].chunk
    without = whole.search(question, k=20, exclude=[("moons", gold, gold + 3)]).passages
    assert len(without) == 2 and not any(p.start <= gold < p.end for p in without)
