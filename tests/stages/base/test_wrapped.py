"""Models of other layouts, run by the library's own layers: the same logits, tokens, training and files."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    OPTConfig,
    PhiConfig,
    Qwen2Config,
)

from genwright.core import CapabilityError
from genwright.measure import read_scores
from genwright.nets.lora import adapters, attach
from genwright.nets.lora_config import LoraConfig
from genwright.stages.base.config import BaseConfig
from genwright.stages.base.run import run
from genwright.systems import Manifest
from genwright.systems.local import LocalSystem

from .models import SHAPE, tokenizer_of

WIDE = {"vocab_size": SHAPE["vocab_size"], "bos_token_id": 1, "eos_token_id": 2}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, **WIDE}
LAYOUTS = {
    "gpt2": GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=128, **WIDE),
    "qwen2": Qwen2Config(num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=True, **SMALL),
    "phi": PhiConfig(max_position_embeddings=128, **SMALL),
    "gpt_neox": GPTNeoXConfig(max_position_embeddings=128, **SMALL),
    "opt": OPTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=48, max_position_embeddings=128,
        word_embed_proj_dim=32, **WIDE,
    ),
    "llama, scaled positions": LlamaConfig(
        max_position_embeddings=128,
        rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10_000.0}, **SMALL,
    ),
}  # fmt: skip


def write(folder, config):
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    tokenizer_of().save_pretrained(folder)
    return folder


def loaded(folder, make_context, as_artifact):
    result = run(BaseConfig.parse({"path": str(folder)}, where="base"), make_context())
    artifacts = {name: as_artifact(produced) for name, produced in result.artifacts.items()}
    paths = {artifact.digest: artifact.path for artifact in artifacts.values()}
    manifest = Manifest(model=artifacts["model"].digest, codec=artifacts["codec"].digest)
    return LocalSystem.load(manifest, locate=paths.__getitem__), artifacts


@pytest.mark.parametrize("name", LAYOUTS)
def test_logits_and_continuations_are_those_of_transformers(name, tmp_path, make_context, as_artifact):
    folder = write(tmp_path / "m", LAYOUTS[name])
    system, artifacts = loaded(folder, make_context, as_artifact)
    assert max(read_scores(artifacts["base_scores"].path)["logit_difference"]) < 1e-3
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    asked = [system.request(text, max_tokens=10, sampling={"temperature": 0.0}) for text in ("the fox", "def f(x)")]
    for request, made in zip(asked, system.generate(asked), strict=True):
        prompt = torch.tensor([system.encode_prompt(request.prompt)])
        theirs = model.generate(prompt, max_new_tokens=10, do_sample=False, pad_token_id=0)[0, prompt.shape[1] :]
        assert list(made.token_ids) == theirs.tolist()


@pytest.mark.parametrize("name", ["gpt2", "qwen2"])
def test_it_leaves_as_it_came(name, tmp_path, make_context, as_artifact):
    folder = write(tmp_path / "m", LAYOUTS[name])
    system, _ = loaded(folder, make_context, as_artifact)
    system.export_hf(tmp_path / "out")
    ids = torch.tensor([list(system.encode_prompt("the quick fox"))])
    mine, theirs = (AutoModelForCausalLM.from_pretrained(place)(ids).logits for place in (tmp_path / "out", folder))
    torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)


def test_sequences_end_to_end_do_not_see_each_other(tmp_path, make_context, as_artifact):
    system, _ = loaded(write(tmp_path / "m", LAYOUTS["phi"]), make_context, as_artifact)
    net, parts = system.family.net, [torch.arange(5, 12), torch.arange(40, 43)]
    packed = net.packed_features(torch.cat(parts), lengths=[7, 3])
    alone = torch.cat([net.features(part[None])[0][0] for part in parts])
    torch.testing.assert_close(packed, alone, rtol=1e-4, atol=1e-4)


def test_adapters_are_put_beside_its_layers(tmp_path, make_context, as_artifact):
    system, _ = loaded(write(tmp_path / "m", LAYOUTS["qwen2"]), make_context, as_artifact)
    net = system.family.net
    named = attach(net, config=LoraConfig(), kind="lora", seed=1)
    assert len(named) == 2 * 7 == len(adapters(net))
    ids = torch.arange(5, 25)[None]
    net(ids[:, :-1], ids[:, 1:]).nll.backward()
    assert all(layer.lora_B.grad is not None for layer in adapters(net).values())


def test_a_model_that_changes_its_logits_is_refused(tmp_path, make_context, as_artifact):
    config = Gemma2Config(num_key_value_heads=2, head_dim=8, final_logit_softcapping=1.0, **SMALL)
    with pytest.raises(CapabilityError, match="times its output matrix"):
        loaded(write(tmp_path / "m", config), make_context, as_artifact)
