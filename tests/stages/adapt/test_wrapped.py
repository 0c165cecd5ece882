"""A model of another layout is adapted like any other: it learns, merges, and peft reads its adapter."""

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, Qwen2Config

from genwright.core import SpecError
from genwright.families.store import load_family
from genwright.measure import read_scores
from genwright.stages.base.config import BaseConfig
from genwright.stages.base.run import run as run_base

from ..base.models import SHAPE, tokenizer_of

WIDE = {"vocab_size": SHAPE["vocab_size"], "bos_token_id": 1, "eos_token_id": 2}
QWEN = Qwen2Config(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48,
    max_position_embeddings=128, tie_word_embeddings=True, **WIDE,
)  # fmt: skip
GPT2 = GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=128, **WIDE)


@pytest.fixture
def wrapped(tmp_path, make_context, as_artifact):
    """Makes the artifacts of [base] of a small model: returns (folder, artifacts)."""

    def make(config):
        folder = tmp_path / config.model_type
        torch.manual_seed(3)
        model = AutoModelForCausalLM.from_config(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        model.save_pretrained(folder)
        tokenizer_of().save_pretrained(folder)
        result = run_base(BaseConfig.parse({"path": str(folder)}, where="base"), make_context())
        return folder, {name: as_artifact(result.artifacts[name]) for name in ("model", "codec")}

    return make


def losses(result):
    return [one for one in read_scores(result.artifacts["training_log"].path)["train_loss"] if one is not None]


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_adapters_beside_layers_with_biases(method, wrapped, adapt):
    peft = pytest.importorskip("peft")
    folder, artifacts = wrapped(QWEN)
    result = adapt(inputs=artifacts, method=method)
    assert losses(result)[-1] < losses(result)[0]
    merged = load_family(result.artifacts["model"].path)
    ids = torch.arange(5, 40)[None]
    theirs = peft.PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(folder), result.artifacts["adapter"].path
    ).eval()
    torch.testing.assert_close(merged.net.logits(ids), theirs(ids).logits, rtol=1e-3, atol=1e-3)
    before = load_family(artifacts["model"].path).net
    assert (merged.net.logits(ids) - before.logits(ids)).abs().max() > 1e-2


def test_layers_that_are_no_linear_ones_move_as_a_whole(wrapped, adapt):
    _, artifacts = wrapped(GPT2)
    with pytest.raises(SpecError, match="no linear layer"):
        adapt(inputs=artifacts)
    result = adapt(inputs=artifacts, method="full", checkpointing="on", trainer={"optimiser": {"learning_rate": 0.01}})
    assert losses(result)[-1] < losses(result)[0]
