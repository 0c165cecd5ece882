"""Rerankers: the numbers of `transformers`, and the first passages in another order with all others behind them."""

import json
import shutil

import numpy as np
import pytest
import torch

from genwright.core import CapabilityError, DataError, SpecError
from genwright.nets.encoder import load_encoder
from genwright.systems.retrieval.config import SearchConfig
from genwright.systems.retrieval.reranking import is_cross_encoder, load_reranker

from ...nets.small_encoder import WORDS, write_cross_encoder, write_model, write_sentence_encoder

pytest.importorskip("tantivy")
pytest.importorskip("transformers")
QUESTION, TEXTS = "w1 w2", ["w3 w4 w5", "w6", "w3 w7 w5", " ".join(WORDS[:40])]


@pytest.fixture
def in_float32(monkeypatch):
    from genwright.nets.encoder import cross

    monkeypatch.setattr(cross, "fast_precision", lambda device: "float32")


def ids_of(text):
    return [4 + WORDS.index(word) for word in text.split()]


def test_a_cross_encoder_gives_the_librarys_numbers(tmp_path, in_float32):
    model = write_cross_encoder(tmp_path)
    assert is_cross_encoder(tmp_path)
    found = load_reranker(tmp_path)(QUESTION, TEXTS)
    for text, score in zip(TEXTS, found, strict=True):
        asked, read = ids_of(QUESTION), ids_of(text)[: 20 - 3 - 2]  # what does not fit is cut off the text
        ids = torch.tensor([[2, *asked, 3, *read, 3]])
        kinds = torch.tensor([[0] * (len(asked) + 2) + [1] * (len(read) + 1)])
        with torch.inference_mode():
            logit = model(input_ids=ids, token_type_ids=kinds).logits[0, 0]
        assert score == pytest.approx(float(torch.sigmoid(logit)), abs=1e-5)
    assert len(set(found)) == len(TEXTS)


def test_a_question_leaves_half_of_the_window_to_the_text(tmp_path, in_float32):
    write_cross_encoder(tmp_path)
    rerank, long = load_reranker(tmp_path), " ".join(WORDS[:50])
    assert rerank(long, ["w51 w52"]) == rerank(" ".join(WORDS[:8]), ["w51 w52"]) != rerank(long, ["w53 w54"])


def test_a_text_has_the_same_number_in_any_company(tmp_path, capfd):
    write_cross_encoder(tmp_path)
    capfd.readouterr()
    rerank = load_reranker(tmp_path)
    assert capfd.readouterr().err == "", "the library's progress is not shown"
    apart = [rerank(QUESTION, [text])[0] for text in TEXTS]
    np.testing.assert_allclose(rerank(QUESTION, TEXTS * 3)[: len(TEXTS)], apart, atol=1e-2)  # bfloat16 where it is fast


def test_a_sentence_encoder_matches_token_by_token(tmp_path):
    write_sentence_encoder(tmp_path)
    assert not is_cross_encoder(tmp_path)
    encoder = load_encoder(tmp_path)
    (asked, *texts) = (one.vectors for one in encoder.tokens([QUESTION, *TEXTS]))
    expected = [float((asked @ text.T).max(1).mean()) for text in texts]
    assert load_reranker(tmp_path)(QUESTION, TEXTS) == pytest.approx(expected, abs=2e-3)


def test_what_gives_no_single_number_is_refused(tmp_path):
    write_cross_encoder(tmp_path / "classes", num_labels=3)
    with pytest.raises(CapabilityError, match="tells 3 classes apart"):
        load_reranker(tmp_path / "classes")
    head = write_cross_encoder(tmp_path / "headless")
    head.bert.save_pretrained(tmp_path / "bare")
    shutil.copyfile(tmp_path / "bare" / "model.safetensors", tmp_path / "headless" / "model.safetensors")
    with pytest.raises(DataError, match=r"headless has no weights for classifier\.bias, classifier\.weight"):
        load_reranker(tmp_path / "headless")
    (tmp_path / "headless" / "model.safetensors").write_bytes(b"1234")
    with pytest.raises(DataError, match="cannot be read as an encoder"):
        load_reranker(tmp_path / "headless")
    (tmp_path / "headless" / "config.json").write_text("[]")
    with pytest.raises(DataError, match=r"config\.json cannot be read: it holds something else"):
        load_reranker(tmp_path / "headless")
    write_model(tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").unlink()
    with pytest.raises(DataError, match="holds no safetensors"):
        load_reranker(tmp_path / "broken")


def said(query, texts):
    """By what a text is of; every text stands below its header."""
    assert query and all("\n" in text for text in texts)
    return [{"kites": 0.1, "boats": 0.9, "tides": 0.5}[text.split(" has ")[1].split()[0]] for text in texts]


def test_a_tokenizer_has_to_put_two_texts_together(tmp_path):
    write_cross_encoder(tmp_path)
    path = tmp_path / "tokenizer.json"
    held = json.loads(path.read_text())
    held["post_processor"]["pair"] = [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]
    path.write_text(json.dumps(held))
    with pytest.raises(CapabilityError, match="does not say how two texts are put together"):
        load_reranker(tmp_path)
    write_cross_encoder(tmp_path / "narrow", max_position_embeddings=4)
    with pytest.raises(CapabilityError, match="reads 4 tokens, 3 of them its own: no question fits in"):
        load_reranker(tmp_path / "narrow")


def test_all_second_looks_come_one_after_another(make_index):
    def likely(query, texts):
        return [-1.0 if "kites" in text else -2.0 for text in texts]

    config = SearchConfig(late_interaction="on", rerank="on", likelihood="on", likelihood_weight=9.0)
    found = make_index(config=config, rerank=said, likely=likely).search("harbour boats", k=3)
    assert [one.document for one in found.passages] == ["kites", "boats", "tides"], "the last one weighs most here"
    assert all(None not in (one.matched, one.reranked, one.likelihood) for one in found.passages)
    assert list(found.seconds)[-3:] == ["match", "rerank", "likelihood"]
    words = SearchConfig(fusion="bm25", rerank="on", rerank_weight=100.0)
    found = make_index(config=words, rerank=said).search("harbour kites", k=3)
    assert [one.document for one in found.passages] == ["boats", "tides", "kites"]


def test_the_first_passages_come_in_its_order(make_index):
    config = SearchConfig(rerank="on", rerank_weight=4.0)
    plain = make_index(rerank=said).search("harbour kites", k=3).passages
    found = make_index(config=config, rerank=said).search("harbour kites", k=3)
    before = {one.document: one.score for one in plain}
    assert plain[0].document == "kites" and plain[0].reranked is None, "it is not asked unless the search says so"
    assert [one.document for one in found.passages] == ["boats", "tides", "kites"]
    for one, value in zip(found.passages, (0.9, 0.5, 0.1), strict=True):
        assert one.reranked == value and one.score == pytest.approx(before[one.document] + 4.0 * (value - 0.1))
    assert found.seconds["rerank"] >= 0.0
    few = make_index(config=config.model_copy(update={"rerank_depth": 2}), rerank=said).search("harbour kites", k=3)
    assert [one.reranked is None for one in few.passages] == [False, False, True]


def test_a_search_that_asks_for_one_needs_it(make_index):
    with pytest.raises(SpecError, match="searched with a reranker, and none is given"):
        make_index(config=SearchConfig(rerank="on"))
