"""Grounded answers: exact citations, the support check, abstention, follow-up questions, passages as data."""

import json
from dataclasses import replace

import numpy as np
import pytest

from genwright.core import CapabilityError, DataError
from genwright.families import SamplingConfig
from genwright.modalities.document.document import Document
from genwright.modalities.document.structure import blocks
from genwright.project.quiet import Quiet
from genwright.systems.grounded import confidence, extract
from genwright.systems.grounded.answer import ABSTAINED, Found, GroundedAnswer, Sentence
from genwright.systems.grounded.cases import cases, negated, shortened, swapped
from genwright.systems.grounded.config import AnsweringConfig
from genwright.systems.grounded.context import MARK, shown
from genwright.systems.grounded.grounding import Grounding, read_grounding, write_grounding
from genwright.systems.grounded.logistic import Logistic
from genwright.systems.grounded.rewriting import leans, standalone
from genwright.systems.grounded.sentences import num_words, pieces, sentences, units
from genwright.systems.grounded.support import SIGNALS, SupportCheck
from genwright.systems.grounded.system import GroundedSystem
from genwright.systems.manifest import GroundedManifest, Manifest
from genwright.systems.prompts import Prompt
from genwright.systems.prompts.zero_shot import ZeroShotConfig
from genwright.systems.requests import Completion, GenerationRequest
from genwright.systems.retrieval.index import Index
from genwright.systems.retrieval.snapshot import write_snapshot
from genwright.systems.retrieval.store import Store

from .retrieval.corpus import WordEncoder, cutting_for

pytest.importorskip("tantivy")

CATS = Document(
    "cats", "Cats",
    "# Sleep\n\nA cat sleeps for 15 hours a day. Kittens sleep more, e.g. 20 hours.\n\n"
    "# Food\n\nCats eat meat. A cat must not eat onions, because they are poisonous.\n",
    "markdown",
)  # fmt: skip
DOGS = Document("dogs", "Dogs", "# Walks\n\nA dog walks twice a day.\n\n```\nwalk(dog)\n```\n", "markdown")
DIGEST = "0" * 64


def weighted(signals, **weights: float) -> Logistic:
    """A regression that minds these signals alone."""
    return Logistic(
        signals=signals, means=(0.0,) * len(signals), scales=(1.0,) * len(signals),
        weights=tuple(weights.get(name, 0.0) for name in signals), bias=weights.get("bias", 0.0),
    )  # fmt: skip


GROUNDING = Grounding(
    answering=AnsweringConfig(passages=4, max_words=12),
    extraction=weighted(extract.SIGNALS, words_found=8.0, cosine=4.0, bias=-4.0),
    support=weighted(SIGNALS, words_found=10.0, names_missing=-9.0, polarity_differs=-9.0, bias=-6.0),
    confidence=weighted(confidence.SIGNALS, best_cosine=20.0, bias=-4.0),
    confidence_threshold=0.5,
)


@pytest.fixture(name="index", scope="module")
def fixture_index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder, encoder = tmp_path_factory.mktemp("index"), WordEncoder()
    with Store(folder / "store.sqlite") as store:
        store.update([CATS, DOGS], cutting=cutting_for(encoder), encoder=encoder, progress=Quiet())
        (folder / "snapshot").mkdir()
        write_snapshot(store, folder / "snapshot", encoder=encoder.identity, settings={})
    return Index.open(folder / "snapshot", encoder=encoder, cache=folder / "cache")


def system_of(index: Index, grounding: Grounding = GROUNDING, model=None) -> GroundedSystem:
    manifest = GroundedManifest(index=DIGEST, encoder=DIGEST, grounding=DIGEST)
    return GroundedSystem(index, grounding=grounding, manifest=manifest, model=model)


@pytest.fixture(name="system")
def fixture_system(index: Index) -> GroundedSystem:
    return system_of(index)


class Scripted:
    """A language model that says the same to everything."""

    sampling = SamplingConfig()

    def __init__(self, text: str) -> None:
        self.text, self.asked = text, []
        self.codec = self

    def encode(self, texts):
        return [text.split() for text in texts]

    def request(self, prompt, /, *, max_tokens, sampling=None, **more):
        return GenerationRequest(prompt, max_tokens, SamplingConfig())

    def generate(self, requests):
        self.asked += requests
        return [Completion(self.text, (1, 2), (0.0, 0.0), "stop", 7) for _ in requests]


# --- extraction ----------------------------------------------------------------------------------------------


def test_an_answer_stands_on_exact_spans_within_its_words(system) -> None:
    answer = system.ask("How many hours does a cat sleep?")
    assert answer.mode == "extractive"
    assert "15 hours" in answer.sentences[0].text
    assert num_words(" ".join(one.text for one in answer.sentences)) <= 12
    for one in answer.sentences:
        (cited,) = one.citations
        assert system.document(cited.document).text[cited.start : cited.end] == cited.quote
        assert one.text == " ".join(cited.quote.split())
        passage = answer.sources[cited.source - 1]
        assert passage.document == cited.document and passage.start <= cited.start < cited.end <= passage.end
    assert "[1]" in answer.text


def test_a_question_on_nothing_there_is_refused(system) -> None:
    answer = system.ask("Which submarine carries quantum telescopes?")
    assert (answer.mode, answer.sentences, answer.text) == ("abstained", (), ABSTAINED)
    assert answer.confidence < 0.5 and answer.sources


def test_a_stream_gives_sources_sentences_and_the_answer(system) -> None:
    events = list(system.ask_stream("How many hours does a cat sleep?"))
    assert isinstance(events[0], Found) and isinstance(events[-1], GroundedAnswer)
    assert tuple(one for one in events if isinstance(one, Sentence)) == events[-1].sentences
    assert {"embed", "bm25", "dense", "sentences", "extract"} <= set(events[-1].seconds)


def test_an_unknown_document_is_told(system) -> None:
    with pytest.raises(DataError):
        system.document("nothing")


# --- generation ----------------------------------------------------------------------------------------------


def generated(index: Index, text: str) -> tuple[GroundedAnswer, Scripted]:
    model = Scripted(text)
    grounding = GROUNDING.model_copy(update={"generator": Prompt(pattern=ZeroShotConfig())})
    return system_of(index, grounding, model).ask("How many hours does a cat sleep?"), model


def test_a_written_sentence_is_shown_with_what_it_stands_on(index) -> None:
    answer, model = generated(index, "A cat sleeps for 15 hours.")
    assert answer.mode == "generated" and not answer.dropped
    (cited,) = answer.sentences[0].citations
    assert CATS.text[cited.start : cited.end] == cited.quote and "15 hours" in cited.quote
    assert (answer.num_prompt_tokens, answer.num_tokens) == (7, 2)
    assert "15 hours a day" in model.asked[0].prompt[-1][1]


@pytest.mark.parametrize("claim", ["A cat sleeps for 17 hours a day.", "A cat does not sleep for 15 hours a day."])
def test_what_is_not_borne_out_is_dropped_and_the_documents_answer(index, claim: str) -> None:
    answer, _ = generated(index, claim)
    assert answer.mode == "extractive"
    assert [one.text for one in answer.dropped] == [claim]
    assert "15 hours" in answer.sentences[0].text


def test_a_model_that_fails_leaves_the_documents_to_answer(index) -> None:
    class Broken(Scripted):
        def generate(self, requests):
            raise CapabilityError("the prompt has 9,000 tokens")

    grounding = GROUNDING.model_copy(update={"generator": Prompt(pattern=ZeroShotConfig())})
    answer = system_of(index, grounding, Broken("")).ask("How many hours does a cat sleep?")
    assert answer.mode == "extractive" and "15 hours" in answer.sentences[0].text
    assert "the prompt has 9,000 tokens" in answer.note


def test_passages_are_data_and_attacks_are_not_read(system) -> None:
    passages = system.index.search("cat", k=3).passages
    bad = replace(passages[0], flags=("prompt-like",))
    hidden = replace(passages[1], text="a\u200b b\u202e c")
    text, places = shown([bad, hidden], budget_tokens=100, count=len, marked=True)
    assert places == (1,)
    assert f"a{MARK}b{MARK}c" in text
    none, taken = shown([hidden], budget_tokens=3, count=len, marked=False)
    assert (none, taken) == ("", ())


# --- support -------------------------------------------------------------------------------------------------


def test_support_sees_values_and_denials() -> None:
    check = SupportCheck(GROUNDING.support, embed=WordEncoder().embed)
    window = "The function `open_file()` returns 3 values and can not fail."
    claims = [
        "The function open_file() returns 3 values.",
        "The function open_file() returns 4 values.",
        "The function read_file() returns 3 values.",
    ]
    good, swapped_number, swapped_name = (one.support for one in check.check(claims, [window]))
    assert swapped_number < good and swapped_name < good
    denied, kept = check.check(["The function can fail.", "The function can not fail."], [window])
    assert denied.support < kept.support
    assert check.check(["x"], [])[0].support == 0.0
    judged = SupportCheck(GROUNDING.support, embed=WordEncoder().embed, slot=lambda claim, evidence: 0.01)
    assert judged.check([claims[0]], [window])[0].support == 0.01


def test_cases_are_what_they_say() -> None:
    rng = np.random.default_rng(0)
    sentence = "The parser (see below) must not read more than 100 lines, because memory is short."
    made = {one.kind: one for one in cases(sentence, [sentence], ["Another thing."], ["200", "x_y"], rng=rng)}
    assert set(made) == {"verbatim", "shortened", "wrong-section", "swapped", "negated"}
    assert made["verbatim"].holds and made["shortened"].holds and not made["negated"].holds
    assert "see below" not in made["shortened"].claim
    assert "must read" in made["negated"].claim
    assert "200" in made["swapped"].claim
    assert negated("Nothing here is a claim.") is None
    assert negated("It is red.") == "It is not red."
    assert shortened("One short sentence stands here alone.") is None
    assert swapped("no names here", "no names here", ["7"], rng) is None


# --- sentences and questions ---------------------------------------------------------------------------------


def test_sentences_are_exact_and_know_abbreviations() -> None:
    text = "See e.g. the docs. It is 3.5 times.\n\n- one item\n- two. Then three."
    assert [text[a:b] for a, b in sentences(text, 0, len(text))] == [
        "See e.g. the docs.", "It is 3.5 times.", "one item", "two.", "Then three.",
    ]  # fmt: skip
    found = units(DOGS.text, blocks(DOGS), start=0, end=len(DOGS.text), max_words=50)
    assert [one.kind for one in found].count("code") == 1
    assert all("#" not in DOGS.text[one.start : one.end] for one in found)


def test_long_sentences_are_cut_at_clauses() -> None:
    text = "one two three four, five six seven eight nine ten; eleven twelve"
    cut = [text[a:b] for a, b in pieces(text, 0, len(text), 6)]
    assert cut[0] == "one two three four,"
    assert all(num_words(one) <= 6 for one in cut)
    assert " ".join(cut) == text


def test_follow_up_questions_are_made_to_stand_alone() -> None:
    history = (("user", "How do I open a file in binary mode?"), ("assistant", "With open()."))
    assert standalone("What is a metaclass good for?", history) == "What is a metaclass good for?"
    followed = standalone("And how do I close it?", history)
    assert followed.endswith("And how do I close it?") and "binary" in followed
    assert standalone("And how do I close it?", ()) == "And how do I close it?"
    assert leans("why?") and not leans("How do I open a file in binary mode?")


def test_a_grounding_comes_back_as_it_was(tmp_path) -> None:
    write_grounding(GROUNDING, folder=tmp_path)
    assert read_grounding(tmp_path) == GROUNDING
    body = json.loads((tmp_path / "grounding.json").read_text())
    assert body["format"] == 1


def test_a_calibration_learns_the_signal_that_matters() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(200, 2))
    model = Logistic.fit(("a", "b"), rows, (rows[:, 0] > 0).astype(float), balanced=True)
    assert model.weights[0] > 5 * abs(model.weights[1])
    with pytest.raises(DataError, match="hold and examples that do not"):
        Logistic.fit(("a", "b"), rows, np.ones(200), balanced=True)


def test_choosing_among_two_is_a_regression_on_their_differences() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    sets = []
    for _ in range(200):  # what all rows of a set share says nothing, however much it varies between sets
        rows = np.column_stack([rng.normal(size=2), np.full(2, 5 * rng.normal())])
        sets.append((rows, np.eye(2)[int(rng.random() < 1 / (1 + np.exp(2 * (rows[0, 0] - rows[1, 0]))))]))
    found = Logistic.fit_choice(("tells", "shared"), sets, penalty=0.05)
    scaled = [((rows - found.means) / found.scales, labels) for rows, labels in sets]
    apart = np.array([labels @ rows - (1 - labels) @ rows for rows, labels in scaled])
    both, wanted = np.concatenate([apart, -apart]), np.repeat([1, 0], len(apart))
    oracle = LogisticRegression(C=1 / (len(both) * 0.05), fit_intercept=False, tol=1e-10).fit(both, wanted)
    np.testing.assert_allclose(found.weights, oracle.coef_[0], atol=2e-4)
    assert found.probabilities(np.concatenate([rows for rows, _ in sets])).mean() == pytest.approx(0.5, abs=1e-6)
    with pytest.raises(DataError, match="needs examples that hold"):
        Logistic.fit_choice(("tells", "shared"), [(np.zeros((2, 2)), np.zeros(2))], penalty=0.1)


def test_any_of_several_right_sentences_will_do() -> None:
    rng = np.random.default_rng(1)
    sets = [(rows, (rows[:, 0] > 0.8).astype(float)) for rows in rng.normal(size=(80, 6, 2))]
    found = Logistic.fit_choice(("tells", "noise"), sets, penalty=0.01)
    assert found.weights[0] > 1.0 and abs(found.weights[1]) < 0.3
    told = [labels for _, labels in sets if 0 < labels.sum() < 6]
    rows = np.concatenate([rows for rows, labels in sets if 0 < labels.sum() < 6])
    assert found.probabilities(rows).mean() == pytest.approx(np.mean(told), abs=1e-6)


def signals_of(system, question: str, **more) -> dict[str, dict[str, float]]:
    retrieved = system.index.search(question, k=4)
    documents, blocked = system._read(retrieved.passages)
    found = extract.candidates(
        question, retrieved.passages, documents=documents, blocks=blocked, embed=WordEncoder().embed, max_words=12,
        **more,
    )  # fmt: skip
    return {one.text: dict(zip(extract.SIGNALS, one.signals, strict=True)) for one in found}


def test_what_speaks_for_a_sentence(system) -> None:
    found = signals_of(system, "Which cat sleeps 15 hours?")
    first = found["A cat sleeps for 15 hours a day."]
    assert first["words_found"] == 1.0 and first["rare_words"] == pytest.approx(1.0)
    kittens = found["Kittens sleep more, e.g. 20 hours."]
    assert 0.0 < kittens["rare_words"] < kittens["words_found"], "many sentences have what it has"
    assert kittens["new_names"] > 0.0 and kittens["name_asked"] == 1.0, "20 is new, and the question asks which"
    assert first["new_names"] == first["name_asked"] == 0.0, "15 was in the question"
    assert signals_of(system, "Why do kittens sleep?")["Kittens sleep more, e.g. 20 hours."]["name_asked"] == 0.0
    assert (
        max(one["passage_score"] for one in found.values()) == 0.0 > min(one["passage_score"] for one in found.values())
    )
    assert {one["reranked"] for one in found.values()} == {0.0}


def test_a_reranker_reads_the_nearest_sentences(system, monkeypatch) -> None:
    monkeypatch.setattr(extract, "UNITS_RERANKED", 2)
    asked = []

    def rerank(question, texts):
        asked.extend(texts)
        return [0.25 + 0.5 * ("onions" in text) for text in texts]

    found = signals_of(system, "May a cat eat onions?", rerank=rerank)
    assert len(asked) == 2 and len(found) > 2 and any("must not eat onions" in text for text in asked)
    assert all(text.startswith(("Food: ", "Sleep: ")) for text in asked), "below their headings"
    best = {text for text, one in found.items() if one["reranked"] == 0.0}
    assert best == {"A cat must not eat onions, because they are poisonous."}
    assert {one["reranked"] for text, one in found.items() if text not in best} == {-0.5}


def test_a_system_of_before_chooses_by_its_own_signals(system) -> None:
    before = extract.SIGNALS[:10]
    assert set(extract.LEFT_OUT) < set(before) and not set(extract.LEFT_OUT) & set(extract.CHOSEN_BY)
    found = system.candidates(system.index.search("How long does a cat sleep?", k=4))
    (chosen,) = extract.choose(found, weighted(before, words_found=9.0), max_words=8, least=0.9)
    assert chosen.text == "A cat sleeps for 15 hours a day."
    (other,) = extract.choose(found, weighted(before, words_found=-9.0), max_words=8, least=0.9)
    assert other.text != chosen.text


def test_manifests_of_grounded_systems_name_their_generator() -> None:
    generator = Manifest(backend="gguf", model="1" * 64, codec="2" * 64)
    manifest = GroundedManifest(index=DIGEST, encoder=DIGEST, grounding=DIGEST, generator=generator)
    assert GroundedManifest.model_validate(manifest.model_dump()) == manifest
