"""The dial: shapes follow from a size or a compute budget, and an LSTM matches the transformer's parameter count."""

import pytest

from genwright.nets import LstmConfig, TransformerConfig, scale_for
from genwright.nets.dial import DEPTHS, depth_for, scale_at, training_flops


def parameters(depth: int) -> int:
    return TransformerConfig().resolve(depth=depth, vocab_size=4096).num_parameters(vocab_size=4096)


def test_sizes_grow() -> None:
    counts = [parameters(depth) for depth in DEPTHS.values()]
    assert counts == sorted(counts)
    assert 12.0e6 < parameters(DEPTHS["small"]) < 12.5e6


def test_compute_budget_buys_the_deepest_net_it_can_train() -> None:
    scale = scale_for("nano", compute_flops=2e16, parameters=parameters)
    assert training_flops(parameters(scale.depth)) <= 2e16 < training_flops(parameters(scale.depth + 1))
    assert depth_for(1.0, parameters=parameters) == 1


def test_explicit_shapes_win() -> None:
    config = TransformerConfig(d_model=96, num_heads=3, num_layers=5, d_ff=100).resolve(depth=2, vocab_size=10)
    assert config.shape() == (96, 5, 3, 3, 100)


@pytest.mark.parametrize("depth", DEPTHS.values())
def test_lstm_matches_the_transformer(depth: int) -> None:
    lstm = LstmConfig().resolve(depth=depth, vocab_size=4096)
    ratio = lstm.num_parameters(vocab_size=4096) / parameters(depth)
    assert 0.95 < ratio < 1.05


def test_heads_must_divide() -> None:
    with pytest.raises(ValueError, match="num_heads=3"):
        TransformerConfig(d_model=64, num_heads=3).resolve(depth=2, vocab_size=10)


def test_scale_has_powers_of_two() -> None:
    for depth in (1, 3, 7, 24):
        scale = scale_at(depth)
        assert scale.context_tokens & (scale.context_tokens - 1) == 0
        assert scale.batch_tokens & (scale.batch_tokens - 1) == 0
