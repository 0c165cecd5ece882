"""From a folder of documents to an index with its evaluation; only what changed is done again."""

import json
import sqlite3

import pytest

from genwright.core import CapabilityError, DataError, Interrupted, SpecError
from genwright.modalities.document.config import ChunkConfig
from genwright.modalities.document.document import Document
from genwright.nets.encoder import load_encoder
from genwright.project import Project
from genwright.stages.index import asking, building, model, run
from genwright.stages.index.config import IndexConfig, QuestionsConfig, check, fingerprint
from genwright.stages.index.scoring import measures
from genwright.stages.index.ways import ways_of
from genwright.systems.requests import Completion
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.index import Index
from genwright.systems.retrieval.questions import read_questions

from ...nets.small_encoder import write_sentence_encoder

pytest.importorskip("tantivy")
pytest.importorskip("transformers")

SPEC = """
[project]
name = "help"
modality = "document"
threads = 1
[[data.sources]]
path = "docs"
[index]
resamples = 200
[index.encoder]
path = "encoder"
licence = "none"
[index.search]
dense_weight = 0.1
[index.questions]
files = ["questions/*.jsonl"]
round_trip = 5
"""
NAMES = ("apples", "bananas", "cherries", "dates", "elders", "figs", "grapes", "hops")


def text_of(name):
    return (
        f"# All about {name}\n\nThey say that {name} keep well in a cold cellar.\n\n"
        f"## How do {name} grow?\n\nEvery spring {name} are watered twice by hand.\n\n"
        f"## Trade\n\nThe price of {name} is set in autumn at the old market.\n"
    )


def make_project(folder, spec=SPEC):
    (folder / "docs").mkdir()
    (folder / "questions").mkdir()
    for name in NAMES:
        (folder / "docs" / f"{name}.md").write_text(text_of(name))
    rows = [
        {"question": f"when are {name} watered", "document": f"{name}.md", "quote": f"Every spring {name} are watered"}
        for name in NAMES
    ]
    (folder / "questions" / "mine.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    words = sorted({word for name in NAMES for word in text_of(name).replace("#", "").split()})
    write_sentence_encoder(
        folder / "encoder", window=64, words=words, vocab_size=len(words) + 4, max_position_embeddings=64
    )
    (folder / "genwright.toml").write_text(spec)
    return Project.find(folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("help"))


@pytest.fixture(scope="module")
def done(project):
    return project.run()[0]


def artifact(project, done, slot):
    (run,) = [run for run in project.ledger.runs(limit=10) if slot in run["outputs"]]
    return project.ledger.artifact(run["outputs"][slot])


def value(done, metric, label=""):
    (found,) = [claim for claim in done.claims if (claim.metric, claim.label) == (metric, label)]
    return found.estimate


@pytest.mark.slow
def test_what_is_found_is_claimed(done):
    assert value(done, "documents").value == 8 and value(done, "chunks").value == 24
    assert value(done, "truncated_tokens").value == 0
    found = value(done, "recall_at_5")
    assert found.value == 1.0 and found.n == 4, "the half of the questions by hand that chose nothing"
    assert "clusters by group" in value(done, "ndcg_at_10").method
    assert value(done, "ndcg_at_10", "BM25 alone").n == value(done, "ndcg_at_10", "dense alone").n == 4
    assert value(done, "ndcg_at_10_difference", "against dense alone").low is not None
    assert value(done, "recall_at_5", "questions by faq").n > 0


def test_the_index_is_searched_as_it_was_measured(project, done):
    encoder = load_encoder(artifact(project, done, "encoder").path)
    index = Index.open(artifact(project, done, "index").path, encoder=encoder, cache=project.root / "cache")
    found = index.search("when are figs watered", k=5).passages
    (first,) = [passage for passage in found if "Every spring figs" in passage.text]
    assert first.title == "All about figs" and first.source == "docs"
    assert first.path == ("All about figs", "How do figs grow?")
    assert index.snapshot.facts.settings["chunk"] == ChunkConfig().model_dump(mode="json")


def test_questions_keep_every_place_and_their_half(project, done):
    found = read_questions(artifact(project, done, "questions").path)
    by_hand = [one for one in found if one.origin == "hand"]
    assert len(by_hand) == 8 and {one.origin for one in found} > {"hand", "faq"}
    document, start, end = by_hand[0].spans[0]
    name = by_hand[0].document.removesuffix(".md").rpartition("/")[2]
    assert document == by_hand[0].document and text_of(name)[start:end].startswith("Every spring")
    halves = {half: {one.document for one in found if one.half == half} for half in ("development", "test")}
    assert not halves["development"] & halves["test"]


def test_halves_do_not_depend_on_what_the_search_finds(tmp_path, make_context, monkeypatch):
    make_project(tmp_path)
    documents = {f"{name}.md": Document(f"{name}.md", name, text_of(name), format="markdown") for name in NAMES}
    config, lost = QuestionsConfig(files=("questions/*.jsonl",)), set()
    monkeypatch.setattr(asking, "_found_again", lambda made, *_: [one for one in made if one.document not in lost])

    def halves(seed, gone):
        lost.clear()
        lost.update(gone)
        kept = asking.gather(config, documents, None, make_context(tmp_path, seed=seed))
        return {one.text: one.half for one in kept if one.origin == "hand"}

    for seed in range(6):
        assert halves(seed, ()) == halves(seed, list(documents)[: seed + 1])
        assert set(halves(seed, ()).values()) == {"development", "test"}


def test_what_is_compared_with_is_each_search_by_itself(tmp_path, make_context):
    class Recorder:
        config, seen = SearchConfig(late_interaction="on", rerank="on", likelihood="on"), []

        def searched(self, config):
            self.seen.append((config.fusion, config.late_interaction, config.rerank, config.likelihood))
            return self

    run._measured(Recorder(), [], make_context(tmp_path))
    off = ("off", "off", "off")
    assert Recorder.seen == [("scores", "on", "on", "on"), ("bm25", *off), ("dense", *off)]


@pytest.mark.slow
def test_a_changed_document_alone_is_embedded_again(tmp_path):
    project = make_project(tmp_path)
    project.run()
    store = project.root / building.STORE
    before = num_vectors(store)
    (tmp_path / "docs" / "figs.md").write_text(text_of("figs").replace("twice", "once"))
    (again,) = project.run()
    assert num_vectors(store) == before + 1, "one chunk of the document is new"
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    other = make_project(fresh)
    (fresh / "docs" / "figs.md").write_text(text_of("figs").replace("twice", "once"))
    (straight,) = other.run()
    assert digests(project, again) == digests(other, straight)


def digests(project, done):
    return {slot: run["outputs"][slot] for run in project.ledger.runs(limit=2) for slot in run["outputs"]}


def num_vectors(store):
    return sqlite3.connect(store).execute("SELECT count(*) FROM vectors").fetchone()[0]


def test_a_stop_loses_nothing(tmp_path, monkeypatch, make_context, as_artifact):
    project = make_project(tmp_path)
    monkeypatch.setattr("genwright.systems.retrieval.store.BATCH_CHUNKS", 4)
    calls = iter(range(1000))
    (dataset,) = [run["outputs"]["dataset"] for run in dataset_only(project)]
    context = make_context(
        tmp_path, inputs={"dataset": project.ledger.artifact(dataset)}, should_stop=lambda: next(calls) > 10
    )
    config = IndexConfig.parse({"encoder": {"path": "encoder"}}, where="index")
    with pytest.raises(Interrupted):
        run.run(config, context)
    assert 0 < num_vectors(tmp_path / building.STORE) < 24
    project.run()
    assert num_vectors(tmp_path / building.STORE) == 24


def dataset_only(project):
    spec = project.root / "genwright.toml"
    whole = spec.read_text()
    spec.write_text(whole[: whole.index("[index]")])
    project.run()
    spec.write_text(whole)
    return project.ledger.runs(limit=1)


def test_the_best_way_is_chosen_on_the_development_half(tmp_path):
    over = '[index.search_over]\nfusions = ["bm25", "dense"]\nchunks = [{ headers = "off" }]\n'
    (done,) = make_project(tmp_path, SPEC + over).run()
    tried = {claim.label: claim.estimate for claim in done.claims if claim.metric == "development_ndcg_at_10"}
    assert len(tried) == 6 and {one.n for one in tried.values()} == {4}
    (chosen,) = [label for label in tried if label.startswith("chosen, best of 6 on these questions: ")]
    assert tried[chosen].value == max(one.value for one in tried.values())


def test_ways_are_tried_once():
    over = {
        "fusions": ["rrf", "bm25", "dense"],
        "dense_weights": [1, 2],
        "rrf_ks": [10],
        "chunks": [{}],
        "bm25_weights": [0.1],
    }
    names = [way.name for way in ways_of(IndexConfig.parse({"search_over": over}, where="index"))]
    assert names == [
        "scores, bm25 weight 0.2",
        "rrf k 10, dense weight 1",
        "rrf k 10, dense weight 2",
        "bm25",
        "dense",
    ]


def test_ranks_beyond_ten_are_misses():
    assert measures(1) == {"recall_5": 1, "recall_10": 1, "reciprocal_rank": 1, "ndcg_10": 1}
    assert measures(7)["recall_5"] == 0 and measures(7)["ndcg_10"] == pytest.approx(1 / 3)
    assert set(measures(11).values()) == set(measures(None).values()) == {0.0}


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(CapabilityError, match="modality is 'text'"):
        check({}, "text")
    with pytest.raises(SpecError, match="revision is of a model on the hub"):
        IndexConfig.parse({"encoder": {"path": "x", "revision": "main"}}, where="index")
    with pytest.raises(DataError, match="matches no file"):
        fingerprint(IndexConfig.parse({"encoder": {"path": "nothing"}}, where="index"), tmp_path)
    project = make_project(tmp_path)
    (tmp_path / "questions" / "mine.jsonl").write_text('{"question": "?", "document": "nobody", "quote": "x"}')
    with pytest.raises(DataError, match=r"mine\.jsonl:1.*no document 'nobody'"):
        project.run()
    (tmp_path / "encoder" / "config.json").unlink()
    (tmp_path / "encoder" / "modules.json").unlink()
    with pytest.raises(DataError, match="states no width"):
        project.run()


def test_files_of_encoder_and_questions_are_in_the_cache_key(project):
    config = IndexConfig.parse(
        {"encoder": {"path": "encoder"}, "questions": {"files": ["questions/*.jsonl"]}}, where="index"
    )
    before = fingerprint(config, project.root)
    file = project.root / "questions" / "mine.jsonl"
    text = file.read_text()
    file.write_text(text + "\n")
    assert fingerprint(config, project.root) != before
    file.write_text(text)
    assert fingerprint(config, project.root) == before


class Scripted:
    """Writes the same two lines about everything."""

    def request(self, prompt, **more):
        self.asked = [*getattr(self, "asked", []), prompt]
        return prompt

    def generate(self, requests):
        said = "1. How often are figs watered by hand?\nThis is no question."
        return [Completion(said, (), (), "stop", 1) for _ in requests]


def test_a_model_writes_questions_on_chunks(project, done, make_context, monkeypatch):
    encoder = load_encoder(artifact(project, done, "encoder").path)
    index = Index.open(artifact(project, done, "index").path, encoder=encoder, cache=project.root / "cache")
    documents = {one.id: index.document(one.id) for one in index.documents()}
    scripted = Scripted()
    monkeypatch.setattr(model, "_system", lambda context: scripted)
    found = model.written_by_model(5, documents, index, make_context())
    assert len(found) == 5 and {one.text for one in found} == {"How often are figs watered by hand?"}
    assert {one.origin for one in found} == {"model"}
    for one, ((_, told),) in zip(found, scripted.asked, strict=True):
        ((start, end),) = one.spans
        assert documents[one.document].text[start:end] in told
    with pytest.raises(CapabilityError, match="the project has none"):
        check({"index": IndexConfig.parse({"questions": {"by_model": 3}}, where="index")}, "document")
    with pytest.raises(CapabilityError, match="how likely questions are, and the project has none"):
        check({"index": IndexConfig.parse({"search": {"likelihood": "on"}}, where="index")}, "document")
    with pytest.raises(CapabilityError, match="read passages again, and none is named"):
        check({"index": IndexConfig.parse({"search": {"rerank": "on"}}, where="index")}, "document")
