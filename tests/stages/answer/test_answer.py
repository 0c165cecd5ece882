"""From documents to a system that answers with spans and says when it does not know; the same bytes each time."""

import json

import pytest

from genwright.core import CapabilityError, DataError, GateError, SpecError
from genwright.measure import read_scores
from genwright.project import Project
from genwright.stages.answer.calibrate import threshold
from genwright.stages.answer.config import check
from genwright.systems.grounded.grounding import read_grounding

from ...nets.small_encoder import write_cross_encoder, write_sentence_encoder
from ..base.models import write_model

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
files = ["mine.jsonl"]
made = "off"
[answer]
cases = 20
resamples = 200
[answer.answering]
passages = 3
max_words = 20
[release]
policy = "policy.toml"
"""
POLICY = """
name = "spans"
[[gates]]
metric = "quotes_exact"
min = 1.0
on = "value"
[[gates]]
metric = "sentences_without_citation"
max = 0.0
on = "value"
"""
NAMES = ("apples", "bananas", "cherries", "dates", "elders", "figs", "grapes", "hops")


def text_of(name: str) -> str:
    return (
        f"# All about {name}\n\nThey say that {name} keep well in a cold cellar, which is not always near.\n\n"
        f"## Growing\n\nEvery spring {name} are watered {len(name)} times by hand. Nobody knows why.\n\n"
        f"## Trade\n\nThe price of {name} is set in autumn at the old market by the merchants.\n"
    )


def make_project(folder, halves=None):
    (folder / "docs").mkdir()
    rows = []
    for name in NAMES:
        (folder / "docs" / f"{name}.md").write_text(text_of(name))
        quote = f"Every spring {name} are watered {len(name)} times by hand."
        rows.append({"question": f"how often are {name} watered in spring", "document": f"{name}.md", "quote": quote,
                     "facts": [f"{len(name)} times"], **({"half": halves[name]} if halves else {})})  # fmt: skip
    (folder / "mine.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (folder / "policy.toml").write_text(POLICY)
    words = sorted({word for name in NAMES for word in text_of(name).replace("#", "").split()})
    write_sentence_encoder(
        folder / "encoder", window=64, words=words, vocab_size=len(words) + 4, max_position_embeddings=64
    )
    (folder / "genwright.toml").write_text(SPEC)
    return Project.find(folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("help"))


@pytest.fixture(scope="module")
def done(project):
    return project.run()[0]


def value(done, metric, label=""):
    (found,) = [claim for claim in done.claims if (claim.metric, claim.label) == (metric, label)]
    return found.estimate


def artifact(project, slot):
    run = next(run for run in project.ledger.runs(limit=10) if slot in run["outputs"])
    return project.ledger.artifact(run["outputs"][slot])


def test_answers_are_measured_on_the_other_half(project, done):
    assert value(done, "answers_right").value == 1.0 and value(done, "answers_right").n == 4
    assert value(done, "quotes_exact").value == 1.0
    assert value(done, "sentences_without_citation").value == 0.0
    assert value(done, "evidence_cited").value == 1.0
    assert 0.0 < value(done, "citation_precision").value <= 1.0
    assert value(done, "words_per_answer").value <= 20
    assert value(done, "answered_when_answerable").n == value(done, "answered_when_unanswerable").n == 4
    assert value(done, "development_answers_right", "chosen, best of 1 on these questions: extraction").value == 1.0
    rows = read_scores(artifact(project, "scores").path)
    assert sum(rows["answerable"]) == 4 and len(rows["id"]) == 8
    assert all(right is None for right, yes in zip(rows["right"], rows["answerable"], strict=True) if not yes)


def test_the_support_check_is_measured_by_kind(done):
    for kind in ("wrong section", "swapped", "negated"):
        assert value(done, "support_auc", kind).value > 0.6, kind
    assert value(done, "support_passed", "verbatim").value > 0.8


def test_the_release_is_what_answers(project, done):
    release = artifact(project, "release").path
    card = (release / "README.md").read_text()
    assert "- index `" in card and "- grounding `" in card and "- model" not in card
    assert "answers_right" in card and "genwright ask" in card
    system = project.system(project.resolve_system(None)[0])
    answer = system.ask("how often are figs watered in spring")
    assert "4 times" in answer.text and answer.mode == "extractive"
    (first, *_) = answer.sentences
    cited = first.citations[0]
    assert system.document(cited.document).text[cited.start : cited.end] == cited.quote
    grounding = read_grounding(artifact(project, "grounding").path)
    assert 0.0 < grounding.confidence_threshold < 1.0


def test_a_second_run_makes_the_same_bytes(project, done):
    before = {slot: artifact(project, slot).digest for slot in ("grounding", "system", "scores", "check_scores")}
    again = project.run(again=("answer",))[0]
    assert again is not None
    assert before == {slot: artifact(project, slot).digest for slot in before}


def test_a_search_may_ask_the_language_model(project, done):
    write_model(project.root / "model", max_position_embeddings=256)
    own = ["base.path=model", "base.licence=mit", "index.search.likelihood=on", "index.search.likelihood_depth=2"]
    asked = project.run(overrides=own)[0]
    outputs = {slot: digest for step in asked.steps if step.run for slot, digest in step.run["outputs"].items()}
    system = project.system(outputs["system"])
    assert system.manifest.reader.model_dump() == {name: outputs[name] for name in ("model", "codec")}
    found = system.index.search("how often are figs watered in spring", k=3).passages
    assert [one.likelihood is None for one in found] == [False, False, True]
    assert "- model `" in (project.checked_path(outputs["release"]) / "README.md").read_text()
    plain = project.system(project.run()[0].steps[-1].run["inputs"]["system"])
    assert plain.manifest.reader is None and "reader" not in plain.manifest.model_dump()


def test_a_search_may_have_passages_read_again(project, done):
    write_cross_encoder(project.root / "reranker", max_position_embeddings=256)
    own = ["index.reranker.path=reranker", "index.search.rerank=on", "index.search.rerank_depth=2"]
    asked = project.run(overrides=own)[0]
    outputs = {slot: digest for step in asked.steps if step.run for slot, digest in step.run["outputs"].items()}
    assert {path.name for path in (project.checked_path(outputs["encoder"]) / "reranker").iterdir()} == {
        "encoder.json", "config.json", "tokenizer.json", "model.safetensors",
    }  # fmt: skip
    served = project.system(outputs["system"]).index.search("how often are figs watered in spring", k=3)
    assert [one.reranked is None for one in served.passages] == [False, False, True] and "rerank" in served.seconds
    assert value(asked, "seconds_per_answer", "rerank").value > 0.0
    plain = project.run(overrides=[own[0], "index.search.rerank=off"])[0]
    (encoder,) = [
        step.run["outputs"]["encoder"] for step in plain.steps if step.run and "encoder" in step.run["outputs"]
    ]
    assert not (project.checked_path(encoder) / "reranker").exists(), "nothing asks it"


def test_a_reranker_that_is_none_is_told_by_its_field(project, done):
    write_cross_encoder(project.root / "classes", num_labels=3)
    for path, why in (("classes", "tells 3 classes apart"), ("docs", r"'docs' holds no reranker")):
        with pytest.raises((CapabilityError, DataError), match=rf"index\.reranker\.path.*{why}"):
            project.run(overrides=[f"index.reranker.path={path}", "index.search.rerank=on"])


def test_questions_on_other_matters_are_a_claim_of_their_own(project, done):
    path = project.root / "other.jsonl"
    asked = [
        "who sails the seven seas",
        "what is a fugue",
        "where do whales sleep",
        "why is the sky blue",
        "is it late",
    ]
    path.write_text("\n".join(json.dumps({"question": one}) for one in asked))
    other = project.run(overrides=['answer.unanswerable=["other.jsonl"]'])[0]
    label = "questions on other matters"
    assert value(other, "answered_when_unanswerable", label).n == 2, "lines take turns"
    assert value(other, "abstention_auc", label).n == 4 + 2
    before, after = (value(one, "answered_when_unanswerable") for one in (done, other))
    assert before.n == after.n == 4, "what was left out is measured apart"
    assert not [one for one in done.claims if one.label == label]
    made = {slot: digest for step in other.steps if step.run for slot, digest in step.run["outputs"].items()}
    rows = read_scores(project.checked_path(made["scores"]))
    held = [one for one, kind in zip(rows["id"], rows["kind"], strict=True) if kind == "elsewhere"]
    assert held == ["other-2", "other-4"]
    path.write_text('{"question": ""}')
    with pytest.raises(DataError, match=r"other\.jsonl:1: 'question' is missing or no text"):
        project.run(overrides=['answer.unanswerable=["other.jsonl"]'])


def test_a_small_held_out_half_claims_what_there_is(tmp_path):
    halves = dict.fromkeys(NAMES, "development") | {NAMES[0]: "test"}
    project = make_project(tmp_path, halves)
    done = project.run()[0]
    assert value(done, "answers_right").n == 1
    shown = {one.label for one in done.claims if one.metric == "support_passed"}
    assert "verbatim" in shown and "swapped" not in shown, "one page has no names to swap"


def test_a_policy_refuses_what_is_not_good_enough(project, done):
    policy = project.root / "policy.toml"
    policy.write_text(POLICY + '[[gates]]\nmetric = "answered_when_unanswerable"\nmax = -1.0\n')
    try:
        with pytest.raises(GateError, match="answered_when_unanswerable"):
            project.run(again=("answer",))
    finally:
        policy.write_text(POLICY)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ('answer.patterns=["zero-shot"]', CapabilityError, "the project has none"),
        ("project.modality=text", (CapabilityError, SpecError), "document"),
        ("answer.answering.max_words=1", SpecError, "max_words"),
    ],
)
def test_what_does_not_go_together_is_refused_at_planning(project, change, error, message):
    with pytest.raises(error, match=message):
        project.run(overrides=[change])


def test_answers_are_drawn_from_documents_alone() -> None:
    with pytest.raises(CapabilityError, match=r"\[answer\] draws answers from documents.*'text'"):
        check({}, "text")


def test_thresholds_lose_no_more_than_they_may() -> None:
    values = [number / 100 for number in range(1, 101)]
    for lost in (0.0, 0.05, 0.2):
        assert sum(value < threshold(values, lost=lost) for value in values) <= lost * len(values)
