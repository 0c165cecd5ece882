"""GGUF files: what is written is read again, bit by bit as the `gguf` package does; broken files are told."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from genwright.core import CapabilityError, DataError
from genwright.nets import LstmConfig, TransformerConfig
from genwright.nets.gguf import quantise_file, read_file, read_model, write_model
from genwright.nets.gguf.numbers import dequantised, quantised
from genwright.nets.gguf.types import BLOCKS, Quantisation, quantisation_for
from genwright.nets.lstm import Lstm
from genwright.nets.transformer import Transformer

pytest.importorskip("xllamacpp")
peer = pytest.importorskip("gguf")
tokenizers = pytest.importorskip("tokenizers")


def make_net(*, qk_norm: bool = False, tied: bool = True, **more) -> Transformer:
    torch.manual_seed(1)
    config = TransformerConfig(
        d_model=64, num_layers=2, num_heads=4, num_kv_heads=2, d_ff=256, qk_norm=qk_norm, tied_head=tied, **more
    ).resolve(depth=2, vocab_size=300)
    net = Transformer(config, vocab_size=300).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net


def make_tokenizer(folder: Path) -> None:
    steps = tokenizers.pre_tokenizers
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = steps.Sequence(
        [steps.Digits(individual_digits=True), steps.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=["<|bos|>", "<|eos|>"],
        initial_alphabet=steps.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the cat sat on the mat, the cat sat 1234 1234"], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))


def write(folder: Path, net: Transformer, file_type: str = "f32") -> Path:
    make_tokenizer(folder)
    path = folder / f"{file_type}.gguf"
    write_model(net, codec_folder=folder, out=path, file_type=file_type, context_tokens=64, bos_id=0, eos_ids=(1,))
    return path


@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_what_is_written_is_read_again(tmp_path: Path, qk_norm: bool, tied: bool) -> None:
    net = make_net(qk_norm=qk_norm, tied=tied)
    found = read_model(write(tmp_path, net))
    assert found.net == net.config
    assert set(found.tensors) == set(net.state_dict())
    assert all(torch.equal(found.tensors[name], value) for name, value in net.state_dict().items())
    text = "the cat 1234, don't  sit\n on ü😀"
    ours = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert found.tokenizer.encode(text, add_special_tokens=False).ids == ours.encode(text).ids
    assert found.marks["bos_token"] == "<|bos|>"
    assert found.marks["eos_token"] == "<|eos|>"


@pytest.mark.parametrize("quantisation", list(Quantisation))
def test_numbers_are_those_of_the_gguf_package(quantisation: Quantisation) -> None:
    values = np.random.default_rng(1).normal(size=(8, 512)).astype(np.float32)
    stored = quantised(values, quantisation, name="x")
    numbers, size = BLOCKS[quantisation]
    assert len(stored.data) == values.size // numbers * size
    theirs = peer.dequantize(stored.data.reshape(8, -1), peer.GGMLQuantizationType(int(quantisation)))
    if quantisation in (Quantisation.F32, Quantisation.F16):
        theirs = theirs.reshape(values.shape)
    np.testing.assert_array_equal(dequantised(stored), theirs)
    assert np.abs(theirs - values).mean() < 0.3


def test_the_gguf_package_reads_the_file(tmp_path: Path) -> None:
    reader = peer.GGUFReader(write(tmp_path, make_net(), "q8_0"))
    assert reader.get_field("general.architecture").contents() == "llama"
    assert {tensor.name for tensor in reader.tensors} >= {"token_embd.weight", "blk.1.attn_q.weight"}
    assert reader.get_field("tokenizer.ggml.pre").contents() == "smollm"


def test_a_file_becomes_smaller_and_keeps_its_fields(tmp_path: Path) -> None:
    source = write(tmp_path, make_net(), "f32")
    quantise_file(source, out=tmp_path / "small.gguf", file_type="q4_0")
    before, after = read_file(source), read_file(tmp_path / "small.gguf")
    assert after.tensors["blk.0.attn_q.weight"].quantisation is Quantisation.Q4_0
    assert after.tensors["blk.0.attn_norm.weight"].quantisation is Quantisation.F32
    assert {**before.fields, "general.file_type": None} == {**after.fields, "general.file_type": None}
    assert (tmp_path / "small.gguf").stat().st_size < source.stat().st_size / 3


def test_mixtures_keep_more_bits_where_it_hurts() -> None:
    def kind(name: str, columns: int) -> Quantisation:
        return quantisation_for(name, (64, columns), file_type="q4_k_m", num_layers=16)

    assert kind("blk.0.ffn_down.weight", 512) is Quantisation.Q6_K
    assert kind("blk.3.ffn_down.weight", 512) is Quantisation.Q4_K
    assert kind("blk.3.attn_q.weight", 576) is Quantisation.Q5_0  # rows of 576 are no blocks of 256
    assert kind("token_embd.weight", 576) is Quantisation.Q8_0


@pytest.mark.parametrize("kept", [3, 100, 5000, -40])
def test_a_file_that_is_cut_short_is_told(tmp_path: Path, kept: int) -> None:
    path = write(tmp_path, make_net())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"no whole GGUF file|no GGUF file"):
        read_model(path)


def test_a_length_from_nowhere_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gguf"
    path.write_bytes(b"GGUF" + bytes([3, 0, 0, 0]) + bytes(8) + bytes([1]) + bytes(7) + bytes([255] * 8))
    with pytest.raises(DataError):
        read_file(path)


def test_what_has_no_layout_is_told(tmp_path: Path) -> None:
    make_tokenizer(tmp_path)
    asked = {"codec_folder": tmp_path, "out": tmp_path / "x", "file_type": "f32", "context_tokens": 8}
    lstm = Lstm(LstmConfig(d_model=32, num_layers=1).resolve(depth=1, vocab_size=300), vocab_size=300)
    with pytest.raises(CapabilityError, match="no GGUF layout"):
        write_model(lstm, bos_id=0, eos_ids=(1,), **asked)
    body = json.loads((tmp_path / "tokenizer.json").read_text())
    body["pre_tokenizer"] = {"type": "Whitespace"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(body))
    with pytest.raises(CapabilityError, match="cuts texts"):
        write_model(make_net(), bos_id=0, eos_ids=(1,), **asked)


def test_numbers_that_are_not_finite_are_told(tmp_path: Path) -> None:
    net = make_net()
    with torch.no_grad():
        net.norm.weight[0] = torch.nan
    with pytest.raises(DataError, match="not finite"):
        write(tmp_path, net)
