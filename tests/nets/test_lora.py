"""Adapters: what they compute, their gradients beside plain formulas, and their files beside those of `peft`."""

import copy
import json

import peft
import pytest
import torch
from transformers import AutoModelForCausalLM

from genwright.core import CapabilityError, DataError, SpecError
from genwright.nets import TransformerConfig
from genwright.nets.adapter_files import load_adapter, read_adapter, save_adapter
from genwright.nets.export import hf_config, hf_tensors
from genwright.nets.lora import adapters, attach, merged_tensors
from genwright.nets.lora_config import LoraConfig
from genwright.nets.loss import linear_cross_entropy, linear_target_log_prob
from genwright.nets.nf4 import BLOCK, Nf4
from genwright.nets.plain import plain_formulas
from genwright.nets.transformer import Transformer

VOCAB = 50
KINDS = ("lora", "dora", "qlora")
LENGTHS = (7, 13, 1)
IDS = torch.randint(0, VOCAB, (sum(LENGTHS),), generator=torch.Generator().manual_seed(1))


def make_net(seed=0, **changes):
    shape = {"num_layers": 2, "d_model": 32, "num_heads": 4, "num_kv_heads": 2, "d_ff": 48, "qk_norm": False} | changes
    net = Transformer(TransformerConfig(**shape).resolve(depth=2, vocab_size=VOCAB), vocab_size=VOCAB)
    rng = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=rng)
    return net


def moved(net, kind, config=None, seed=3):
    """The net with adapters that do something."""
    out = copy.deepcopy(net)
    attach(out, config=config or LoraConfig(rank=4), kind=kind, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    for layer in adapters(out).values():
        torch.nn.init.normal_(layer.lora_B, std=0.1, generator=rng)
        if layer.magnitude is not None:
            layer.magnitude.data.mul_(1.1)
    return out


def gradients(net):
    found = {name: value.grad.clone() for name, value in net.named_parameters() if value.grad is not None}
    net.zero_grad()
    return found


def assert_same(left, right, tolerance=1e-4):
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(
            left[name], right[name], rtol=tolerance, atol=tolerance * float(right[name].abs().max())
        )


def test_sequences_end_to_end_know_nothing_of_each_other():
    net = make_net()
    alone = [net.features(part[None])[0][0] for part in IDS.split(list(LENGTHS))]
    torch.testing.assert_close(net.packed_features(IDS, lengths=LENGTHS), torch.cat(alone), rtol=1e-5, atol=1e-5)
    other = torch.cat([IDS[:7], (IDS[7:20] + 1) % VOCAB, IDS[20:]])
    again = net.packed_features(other, lengths=LENGTHS)
    torch.testing.assert_close(again[:7], alone[0], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(again[7:20], alone[1])


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_a_new_adapter_changes_nothing(kind):
    net = make_net()
    before = net.logits(IDS[None])
    attach(net, config=LoraConfig(rank=4), kind=kind, seed=1)
    torch.testing.assert_close(net.logits(IDS[None]), before)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_plain_formulas(kind):
    net = moved(make_net(), kind)
    net.packed_features(IDS, lengths=LENGTHS).square().sum().backward()
    own = gradients(net)
    names = {name.rpartition(".")[2] for name in own}
    assert names == {"lora_A", "lora_B"} | ({"magnitude"} if kind == "dora" else set()), "the base has none"
    with plain_formulas():
        net.packed_features(IDS, lengths=LENGTHS).square().sum().backward()
    assert_same(own, gradients(net))


def test_checkpointing_changes_no_gradient():
    net = moved(make_net(), "lora", LoraConfig(rank=4, dropout=0.3))
    found = []
    for net.checkpointing in (False, True):
        torch.manual_seed(5)
        net.packed_features(IDS, lengths=LENGTHS).square().sum().backward()
        found.append(gradients(net))
    assert_same(*found, tolerance=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_merged_net_computes_the_same(kind):
    net = make_net()
    adapted = moved(net, kind)
    merged = copy.deepcopy(net)
    merged.load_state_dict(merged_tensors(adapted))
    torch.testing.assert_close(merged.logits(IDS[None]), adapted.logits(IDS[None]), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(merged.logits(IDS[None]), net.logits(IDS[None]), atol=1e-2)


def test_four_bits_are_near_and_small():
    weight = torch.randn(48, 37, generator=torch.Generator().manual_seed(2))
    packed = Nf4(weight)
    error = (packed.dense(torch.float32) - weight).norm() / weight.norm()
    assert 0.05 < float(error) < 0.12, "NormalFloat of 4 bits on normal numbers"
    stored = packed.codes.numel() + 2 * packed.scales.numel()
    assert stored <= weight.numel() / 2 + 2 * (weight.numel() / BLOCK + 1) + BLOCK
    before = packed.dense(torch.float32)
    assert torch.equal(packed.to(torch.bfloat16).dense(torch.float32), before), "a change of precision leaves the codes"


def test_targets_are_named():
    net = make_net()
    assert {
        name.rpartition(".")[2]
        for name in attach(net, config=LoraConfig(targets=("q_proj", "v_proj")), kind="lora", seed=0)
    } == {"q_proj", "v_proj"}
    with pytest.raises(SpecError, match="no linear layer 'query'"):
        attach(make_net(), config=LoraConfig(targets=("query",)), kind="lora", seed=0)


def test_a_frozen_head_costs_no_gradient_and_changes_none():
    rng = torch.Generator().manual_seed(4)
    hidden, head = torch.randn(9, 8, generator=rng), torch.randn(VOCAB, 8, generator=rng)
    targets = torch.randint(0, VOCAB, (9,), generator=rng)
    own, plain = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    linear_cross_entropy(own, head, None, targets, None).backward()
    torch.nn.functional.cross_entropy(plain @ head.t(), targets).backward()
    torch.testing.assert_close(own.grad, plain.grad)


def test_log_probabilities_of_targets_have_their_gradient():
    rng = torch.Generator().manual_seed(4)
    hidden, head = torch.randn(9, 8, generator=rng), torch.randn(VOCAB, 8, generator=rng)
    targets, weights = torch.randint(0, VOCAB, (9,), generator=rng), torch.randn(9, generator=rng)
    own, plain = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    found = linear_target_log_prob(own, head, targets)
    wanted = (plain @ head.t()).log_softmax(-1).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(found, wanted)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    torch.testing.assert_close(own.grad, plain.grad)


# --- files -----------------------------------------------------------------------------------------------------------


def write_base(net, folder):
    from safetensors.torch import save_file

    folder.mkdir()
    config = hf_config(net.config, vocab_size=VOCAB, context_tokens=64)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(hf_tensors(net), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(("kind", "scaling"), [("lora", "rank"), ("lora", "root"), ("dora", "rank")])
def test_peft_loads_it_with_equal_logits(kind, scaling, tmp_path):
    net = make_net()
    config = LoraConfig(rank=4, alpha=7.0, scaling=scaling)
    adapted = moved(net, kind, config)
    base = write_base(net, tmp_path / "base")
    (tmp_path / "adapter").mkdir()
    save_adapter(adapted, tmp_path / "adapter", config=config, kind=kind, base_name=str(base), base_digest="ab" * 32)
    theirs = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "adapter")
    torch.testing.assert_close(theirs(IDS[None]).logits, adapted.logits(IDS[None]), rtol=1e-4, atol=1e-4)


def test_an_adapter_of_peft_is_read(tmp_path):
    net = make_net()
    base = write_base(net, tmp_path / "base")
    settings = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    theirs = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)
    theirs.save_pretrained(tmp_path / "adapter")
    files = read_adapter(tmp_path / "adapter")
    attach(net, config=files.config, kind="lora", seed=0)
    load_adapter(net, files, base_digest="any")
    torch.testing.assert_close(net.logits(IDS[None]), theirs(IDS[None]).logits, rtol=1e-4, atol=1e-4)


def test_an_adapter_of_another_model_is_refused(tmp_path):
    config = LoraConfig(rank=4)
    save_adapter(moved(make_net(), "lora"), tmp_path, config=config, kind="lora", base_name="x", base_digest="ab" * 32)
    files = read_adapter(tmp_path)
    same = moved(make_net(), "lora", seed=9)
    with pytest.raises(DataError, match="belongs to the model abababababab, and this is cdcdcdcdcdcd"):
        load_adapter(same, files, base_digest="cd" * 32)
    other = moved(make_net(d_model=16), "lora", files.config)
    with pytest.raises(DataError, match=r"22 tensors differ, such as .*lora_B"):
        load_adapter(other, files, base_digest="ab" * 32)
    load_adapter(same, files, base_digest="ab" * 32)
    assert_same(dict(same.named_parameters()), dict(moved(make_net(), "lora").named_parameters()))


def test_broken_and_foreign_files_are_named(tmp_path):
    with pytest.raises(DataError, match="holds no adapter"):
        read_adapter(tmp_path)
    save_adapter(
        moved(make_net(), "lora"), tmp_path, config=LoraConfig(rank=4), kind="lora", base_name="x", base_digest=""
    )
    settings = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings | {"peft_type": "IA3"}))
    with pytest.raises(CapabilityError, match="IA3"):
        read_adapter(tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings | {"rank_pattern": {"q_proj": 8}}))
    with pytest.raises(CapabilityError, match="rank_pattern"):
        read_adapter(tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    whole = (tmp_path / "adapter_model.safetensors").read_bytes()
    (tmp_path / "adapter_model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="holds no adapter that can be read"):
        read_adapter(tmp_path)
