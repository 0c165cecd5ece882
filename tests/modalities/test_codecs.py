"""Codecs give every text back, the same bytes each time, and load where others load them."""

import json
import os
import subprocess
import sys
from pydoc_data.topics import topics

import numpy as np
import pytest

from genwright.core import DataError
from genwright.core.protocols import Codec
from genwright.modalities.codec import load_codec
from genwright.modalities.text.bpe import BpeCodec
from genwright.modalities.text.bytes import BytesCodec
from genwright.modalities.text.config import BpeConfig, BytesConfig

HARD = [
    "",
    " ",
    "  leading, trailing  ",
    "def f(x):\n    if x:\n\t\treturn 12345\n\n\n\n    # é ü 漢字 🤗 \u200d\n",
    "\r\n windows \r old \x00 \x7f \x85 \u2028",
    "a mark spelled out: <|eos|> <|bos|><|pad|>",
    "e\u0301 is not \u00e9",
]


@pytest.fixture(scope="module", params=["bpe", "bytes"])
def codec(request):
    """A fitted codec of each kind."""
    if request.param == "bytes":
        return BytesCodec.fit(BytesConfig(), texts=[])
    return BpeCodec.fit(BpeConfig(vocab_size=600), texts=iter([topics["with"], topics["class"]]))


def test_keeps_the_protocol(codec):
    assert isinstance(codec, Codec) and codec.representation == "tokens"
    assert len({codec.bos_id, codec.eos_id, codec.pad_id}) == 3 and codec.pad_id < codec.vocab_size


@pytest.mark.parametrize("text", HARD)
def test_round_trip(codec, text):
    (array,) = codec.encode([text])
    assert codec.decode([array.tolist()]) == [text] and array.dtype == np.uint16
    assert b"".join(codec.token_bytes(int(token)) for token in array) == text.encode()


def test_marks_are_never_encoded_nor_decoded(codec):
    marks = {codec.bos_id, codec.eos_id, codec.pad_id}
    assert not marks & set(codec.encode(["<|bos|>a<|eos|>"])[0].tolist())
    assert codec.decode([[codec.bos_id, *codec.encode(["a b"])[0].tolist(), codec.eos_id]]) == ["a b"]
    assert codec.token_bytes(codec.eos_id) == b""


def test_save_load_and_the_same_bytes_again(codec, tmp_path):
    codec.save(tmp_path)
    again = load_codec(tmp_path)
    assert again.encode(HARD)[3].tolist() == codec.encode(HARD)[3].tolist()
    assert (again.vocab_size, again.bos_id, again.eos_id) == (codec.vocab_size, codec.bos_id, codec.eos_id)
    other = tmp_path / "other"
    other.mkdir()
    again.save(other)
    for path in tmp_path.glob("*.json"):
        assert (other / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_transformers_loads_it_with_equal_tokens(codec, tmp_path):
    from transformers import AutoTokenizer

    codec.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in HARD[1:5]:
        ids = codec.encode([text])[0].tolist()
        assert theirs(text, add_special_tokens=False)["input_ids"] == ids
        assert theirs.decode(ids) == text
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id) == (codec.bos_id, codec.eos_id, codec.pad_id)


def test_a_small_corpus_gives_a_small_vocabulary():
    codec = BpeCodec.fit(BpeConfig(vocab_size=5000), texts=["aaa bbb"])
    assert 259 <= codec.vocab_size < 300


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_fitting_is_bitwise_the_same_whatever_the_threads(tmp_path, threads):
    code = (
        "import hashlib; from pydoc_data.topics import topics;"
        "from genwright.modalities.text.bpe import BpeCodec; from genwright.modalities.text.config import BpeConfig;"
        "c = BpeCodec.fit(BpeConfig(vocab_size=3000), texts=(topics[k] for k in sorted(topics)));"
        "print(hashlib.sha256(c._tokenizer.to_str().encode()).hexdigest())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "RAYON_NUM_THREADS": count, "PYTHONHASHSEED": count},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in ("1", threads)
    }
    assert len(runs) == 1


def test_a_folder_that_is_no_codec(tmp_path):
    with pytest.raises(DataError, match="not a codec description"):
        load_codec(tmp_path)
    (tmp_path / "codec.json").write_text(json.dumps({"kind": "bytes", "format": 99}))
    with pytest.raises(DataError, match="format 99"):
        load_codec(tmp_path)


def test_indentation_is_one_token_and_words_keep_their_form():
    text = "class A:\n        def f(self):\n        return 1\n" * 30
    codec = BpeCodec.fit(BpeConfig(vocab_size=400), texts=[text])
    pieces = [codec.token_bytes(int(t)).decode() for t in codec.encode(["x\n        return 1"])[0]]
    assert "\n       " in pieces and " return" in pieces
