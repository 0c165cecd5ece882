"""The exported folder loads in `transformers` with equal logits: all four layouts, and the tokenizer."""

from pathlib import Path

import pytest
import torch

from genwright.core import CapabilityError
from genwright.nets import LstmConfig, TransformerConfig
from genwright.nets.export import export_hf
from genwright.nets.lstm import Lstm
from genwright.nets.transformer import Transformer

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")


def make_tokenizer(folder: Path) -> None:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|bos|>", "<|eos|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the cat sat on the mat, the cat sat"], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("qk_norm", "experts", "model_type"),
    [(False, 0, "llama"), (True, 0, "qwen3"), (False, 4, "mixtral"), (True, 4, "qwen3_moe")],
)
def test_transformers_loads_equal_logits(
    tmp_path: Path, tied: bool, qk_norm: bool, experts: int, model_type: str
) -> None:
    torch.manual_seed(1)
    config = TransformerConfig(
        d_model=32, num_layers=2, num_heads=4, num_kv_heads=2, qk_norm=qk_norm, num_experts=experts, tied_head=tied
    ).resolve(depth=2, vocab_size=300)
    net = Transformer(config, vocab_size=300).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    make_tokenizer(tmp_path)
    export_hf(net, codec_folder=tmp_path, out=tmp_path / "hf", bos_id=0, eos_id=1, context_tokens=64)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype=torch.float32).eval()
    assert loaded.config.model_type == model_type
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    ids = tokenizer("the cat sat", return_tensors="pt")["input_ids"]
    assert ids[0, 0] == 0
    assert tokenizer.decode(ids[0], skip_special_tokens=True) == "the cat sat"
    with torch.no_grad():
        torch.testing.assert_close(net.logits(ids), loaded(ids).logits, rtol=1e-5, atol=1e-5)


def test_an_lstm_says_it_has_no_layout(tmp_path: Path) -> None:
    net = Lstm(LstmConfig(d_model=16), vocab_size=10)
    with pytest.raises(CapabilityError, match="no Hugging Face layout"):
        export_hf(net, codec_folder=tmp_path, out=tmp_path / "hf", bos_id=0, eos_id=1, context_tokens=8)
