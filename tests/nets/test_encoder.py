"""Sentence encoders: the numbers of `transformers`, the same for a text in any company, and nothing cut off unseen."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from genwright.core import CapabilityError, DataError
from genwright.nets.encoder import load_encoder, read_layout, save_encoder

from .small_encoder import WORDS, write_model, write_sentence_encoder

pytest.importorskip("transformers")

TEXTS = ["w1 w2 w3", "w4 w5", "w6 w7 w8 w9 w10 w11", "w1 w2 w3 w4", "w12 w13", "w20"]


def expected(model, ids, pooling="mean"):
    states = model(torch.tensor([ids])).last_hidden_state[0]
    vector = {"mean": states.mean(0), "cls": states[0], "max": states.max(0).values}[pooling]
    return torch.nn.functional.normalize(vector, dim=-1).detach().numpy()


def ids_of(text):
    return [2, *(4 + WORDS.index(word) for word in text.split()), 3]


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_vectors_are_those_of_transformers(tmp_path, pooling):
    model = write_sentence_encoder(tmp_path, pooling=pooling)
    encoder = load_encoder(tmp_path, precision="float32")
    found = encoder.embed(TEXTS)
    assert (encoder.window_tokens, encoder.num_special, encoder.d) == (12, 2, 32)
    for text, vector in zip(TEXTS, found, strict=True):
        np.testing.assert_allclose(vector, expected(model, ids_of(text), pooling), atol=1e-5)
    np.testing.assert_allclose((found**2).sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_text_has_the_same_vector_in_any_company(tmp_path, precision):
    write_sentence_encoder(tmp_path)
    encoder = load_encoder(tmp_path, precision=precision)
    together = encoder.embed(TEXTS * 40)[: len(TEXTS)]
    assert np.array_equal(together, np.stack([encoder.embed([text])[0] for text in TEXTS]))
    assert np.array_equal(together[::-1], encoder.embed(TEXTS[::-1]))


def test_bfloat16_points_the_same_way(tmp_path):
    write_sentence_encoder(tmp_path)
    exact, fast = (load_encoder(tmp_path, precision=name) for name in ("float32", "bfloat16"))
    assert exact.identity == fast.identity and exact.precision != fast.precision
    assert ((exact.embed(TEXTS) * fast.embed(TEXTS)).sum(1) > 0.999).all()


def test_what_does_not_fit_is_cut_and_counted(tmp_path):
    model = write_sentence_encoder(tmp_path)
    encoder = load_encoder(tmp_path, precision="float32")
    long = " ".join(WORDS[:15])
    np.testing.assert_allclose(encoder.embed([long])[0], expected(model, ids_of(" ".join(WORDS[:10]))), atol=1e-5)
    assert encoder.truncated_tokens == 5
    assert encoder.cut(long) == (" ".join(WORDS[:10]), 5)
    assert encoder.cut("w1 w2") == ("w1 w2", 0)
    assert encoder.count(long) == 15


def test_prefixes_are_those_of_the_model(tmp_path):
    model = write_sentence_encoder(tmp_path, prompts={"query": "w50 ", "document": ""})
    encoder = load_encoder(tmp_path, precision="float32")
    asked, kept = encoder.embed(["w1"], role="query")[0], encoder.embed(["w1"])[0]
    np.testing.assert_allclose(asked, expected(model, ids_of("w50 w1")), atol=1e-5)
    np.testing.assert_allclose(kept, expected(model, ids_of("w1")), atol=1e-5)
    assert encoder.cut(" ".join(WORDS[:12]))[1] == 3


def test_an_artifact_is_read_as_it_was_saved(tmp_path):
    write_sentence_encoder(tmp_path / "from", pooling="cls")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_encoder(read_layout(tmp_path / "from"), tmp_path / name)
    first, again = load_encoder(tmp_path / "from"), load_encoder(tmp_path / "one")
    assert np.array_equal(first.embed(TEXTS), again.embed(TEXTS))
    assert first.identity == again.identity
    assert all((tmp_path / "two" / p.name).read_bytes() == p.read_bytes() for p in (tmp_path / "one").iterdir())


def test_a_bare_folder_is_read_with_mean_pooling(tmp_path):
    model = write_model(tmp_path)
    encoder = load_encoder(tmp_path, precision="float32")
    assert encoder.window_tokens == 20
    np.testing.assert_allclose(encoder.embed(["w1 w2"])[0], expected(model, ids_of("w1 w2")), atol=1e-5)


def test_other_architectures_are_computed_by_the_library(tmp_path):
    model = write_model(tmp_path, "roberta", pad_token_id=0)
    encoder = load_encoder(tmp_path, precision="float32")
    for text, vector in zip(TEXTS, encoder.embed(TEXTS), strict=True):
        np.testing.assert_allclose(vector, expected(model, ids_of(text)), atol=1e-5)
    assert encoder.window_tokens == 19, "positions start behind that of padding"


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_encoder(tmp_path)
    write_sentence_encoder(tmp_path / "dense", more=[("3_Dense", "Dense")])
    with pytest.raises(CapabilityError, match="module Dense"):
        load_encoder(tmp_path / "dense")
    write_model(tmp_path / "bare")
    tensors = load_file(tmp_path / "bare" / "model.safetensors")
    tensors.pop(next(name for name in tensors if "layer.1.output.dense.weight" in name))
    save_file(tensors, tmp_path / "bare" / "model.safetensors")
    with pytest.raises(DataError, match=r"lack .*layer\.1\.output"):
        load_encoder(tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").rename(tmp_path / "bare" / "pytorch_model.bin")
    with pytest.raises(DataError, match="no safetensors"):
        load_encoder(tmp_path / "bare")


def test_tokens_have_the_vectors_and_the_places_of_their_words(tmp_path):
    model = write_sentence_encoder(tmp_path, prompts={"query": "w50 ", "document": ""})
    encoder = load_encoder(tmp_path, precision="float32")
    short, long = encoder.tokens(["w1 w22  w3", " ".join(WORDS[:15])])
    assert short.spans.tolist() == [[0, 2], [3, 6], [8, 10]]
    states = model(torch.tensor([ids_of("w1 w22 w3")])).last_hidden_state[0, 1:-1]
    wanted = torch.nn.functional.normalize(states, dim=-1).detach().numpy()
    np.testing.assert_allclose(short.vectors, wanted, atol=1e-5)
    assert len(long.spans) == len(long.vectors) == 10, "what the window holds, without marks"
    (asked,) = encoder.tokens(["w1 w22"], role="query")
    assert asked.spans.tolist() == [[0, 2], [3, 6]], "the prefix is read and is no part of the question"
    assert not np.allclose(asked.vectors[0], encoder.tokens(["w1 w22"])[0].vectors[0])
