"""Transformer and LSTM: parameter counts, the fused loss against PyTorch's, the cache against the full pass."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from genwright.nets import LstmConfig, TransformerConfig
from genwright.nets.attention import causal_attention
from genwright.nets.loss import linear_cross_entropy
from genwright.nets.lstm import Lstm
from genwright.nets.net import TokenNet
from genwright.nets.transformer import Transformer

VOCAB = 50
SMALL: dict[str, Any] = {"d_model": 32, "num_heads": 4, "num_layers": 2}
CONFIGS = {
    "plain": TransformerConfig(**SMALL, qk_norm=False),
    "grouped": TransformerConfig(**SMALL, num_kv_heads=2, tied_head=False),
    "experts": TransformerConfig(**SMALL, num_experts=3),
    "lstm": LstmConfig(d_model=32),
}


def build(name: str) -> TokenNet:
    torch.manual_seed(0)
    config = CONFIGS[name].resolve(depth=2, vocab_size=VOCAB)
    net: TokenNet
    if isinstance(config, LstmConfig):
        net = Lstm(config, vocab_size=VOCAB)
    else:
        assert isinstance(config, TransformerConfig)
        net = Transformer(config, vocab_size=VOCAB)
    for parameter in net.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    assert sum(p.numel() for p in net.parameters()) == config.num_parameters(vocab_size=VOCAB)
    return net.eval()


@pytest.mark.parametrize("name", CONFIGS)
def test_loss_and_gradients_equal_pytorch(name: str) -> None:
    net = build(name)
    ids = torch.randint(0, VOCAB, (3, 12))
    weights = (torch.rand(3, 11) > 0.3).float()
    nll = functional.cross_entropy(net.logits(ids[:, :-1]).transpose(1, 2), ids[:, 1:], reduction="none")
    expected = (nll * weights).sum() / weights.sum()
    wanted = torch.autograd.grad(expected, list(net.parameters()), allow_unused=True)
    loss = net(ids[:, :-1], ids[:, 1:], weights).nll
    got = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(net.token_nll(ids[:, :-1], ids[:, 1:]), nll.detach())
    counted = torch.zeros(nll.shape, dtype=torch.bool)
    assert not net.token_nll(ids[:, :-1], ids[:, 1:], counted).any()
    counted[0, 1] = counted[1, -1] = True
    torch.testing.assert_close(net.token_nll(ids[:, :-1], ids[:, 1:], counted), nll.detach() * counted)
    for ours, theirs in zip(got, wanted, strict=True):
        if theirs is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_cache_equals_the_full_pass(name: str) -> None:
    net = build(name)
    ids = torch.randint(0, VOCAB, (4, 14))
    full = net.logits(ids).detach()
    cache = net.new_cache(4, max_tokens=16)
    starts = [0, 3, 5, 4]
    for row, start in enumerate(starts):
        cache.prefill(row, ids=ids[row, :start].tolist())
    for turn in range(8):
        logits = cache.step(torch.stack([ids[row, start + turn] for row, start in enumerate(starts)]))
        for row, start in enumerate(starts):
            torch.testing.assert_close(logits[row], full[row, start + turn], rtol=1e-4, atol=1e-5)
    cache.move(3, target=1)
    moved = cache.step(torch.stack([ids[0, 8], ids[3, 12]]))
    torch.testing.assert_close(moved[1], full[3, 12], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_matmul_attention_equals_sdpa(kv_heads: int) -> None:
    torch.manual_seed(0)
    q = torch.randn(2, 4, 9, 8)
    k, v = torch.randn(2, kv_heads, 9, 8), torch.randn(2, kv_heads, 9, 8)
    torch.testing.assert_close(
        causal_attention(q, k, v, kind="matmul"), causal_attention(q, k, v, kind="sdpa"), rtol=1e-4, atol=1e-5
    )


def test_loss_over_many_blocks_equals_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    hidden, weight, targets = torch.randn(40, 8), torch.randn(30, 8), torch.randint(0, 30, (40,))
    whole = linear_cross_entropy(hidden, weight, None, targets, None)
    monkeypatch.setattr("genwright.nets.loss.BLOCK_LOGITS_CPU", 90)
    torch.testing.assert_close(linear_cross_entropy(hidden, weight, None, targets, None), whole)


def test_nothing_looks_ahead() -> None:
    net = build("grouped")
    ids = torch.randint(0, VOCAB, (1, 10))
    changed = ids.clone()
    changed[0, 6:] = (changed[0, 6:] + 1) % VOCAB
    torch.testing.assert_close(net.logits(ids)[:, :6], net.logits(changed)[:, :6])


def test_balance_loss_is_least_for_an_even_router() -> None:
    net = build("experts")
    ids = torch.randint(0, VOCAB, (4, 16))
    uneven = net(ids, ids).auxiliary.item()
    for name, parameter in net.named_parameters():
        if name.endswith("mlp.gate.weight"):
            torch.nn.init.zeros_(parameter)
    assert 0.0 < net(ids, ids).auxiliary.item() <= uneven


def test_a_fresh_lstm_learns_more_than_unigrams() -> None:
    net = Lstm(LstmConfig(d_model=64), vocab_size=VOCAB)
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.01)
    ids = (torch.arange(25)[None] * 7 + torch.randint(0, VOCAB, (16, 1))) % VOCAB  # each token follows from the last
    for _ in range(25):
        optimiser.zero_grad()
        loss = net(ids[:, :-1], ids[:, 1:]).nll
        loss.backward()
        optimiser.step()
    assert loss.item() < 2.0  # unigrams: log 50 = 3.9
