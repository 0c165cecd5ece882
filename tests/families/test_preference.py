"""Losses of preferences beside plain formulas, on log-probabilities that are given."""

import math

import pytest
import torch

from genwright.core.protocols import Clock, PackedTokens
from genwright.families.preference import GoodOrBadTuning, OddsTuning, Pairs, PreferenceTuning
from genwright.nets import TransformerConfig
from genwright.nets.transformer import Transformer

NOW = Clock(0, 0.0)


def batch(per_row: int, rows: int = 2) -> Pairs:
    """Sequences of 4 tokens, of which the last 2 count."""
    count = per_row * rows
    ids = torch.arange(4).repeat(count)
    counted = torch.tensor([False, False, True, True]).repeat(count)
    packed = PackedTokens(ids, ids, counted, (4,) * count, 2.0)
    return Pairs(packed, torch.zeros(count), per_row)


def told(tuning, log_probs: list[float]):
    """The tuning with these log-probabilities of each counted token, two per sequence."""
    net_values = torch.tensor([value for value in log_probs for _ in range(2)])
    tuning.target_log_prob = lambda packed, net=None: net_values
    return tuning


def net() -> Transformer:
    config = TransformerConfig(num_layers=1, d_model=16, num_heads=2, num_kv_heads=2, d_ff=16)
    return Transformer(config, vocab_size=8)


def loss_of(tuning, pairs: Pairs) -> tuple[float, float]:
    ((_, loss, logs),) = list(tuning.losses(pairs, NOW))
    assert tuning.held_out_nats(pairs).mean().item() == pytest.approx(loss.item(), rel=1e-6)
    return loss.item(), logs["preferred"].item()


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_direct_preferences() -> None:
    loss, preferred = loss_of(told(PreferenceTuning(net(), beta=0.5), [-1.0, -2.0, -3.0, -1.0]), batch(2))
    wanted = [-math.log(sigmoid(0.5 * 2 * gap)) for gap in (1.0, -2.0)]
    assert loss == pytest.approx(sum(wanted) / 2, rel=1e-5)
    assert preferred == 0.5


def test_odds() -> None:
    loss, preferred = loss_of(told(OddsTuning(net(), weight=0.3), [-0.5, -1.5, -0.4, -0.2]), batch(2))

    def odds(mean: float) -> float:
        return mean - math.log(1 - math.exp(mean))

    wanted = [
        0.5 - 0.3 * math.log(sigmoid(odds(-0.5) - odds(-1.5))),
        0.4 - 0.3 * math.log(sigmoid(odds(-0.4) - odds(-0.2))),
    ]
    assert loss == pytest.approx(sum(wanted) / 2, rel=1e-5)
    assert preferred == 0.5


def test_good_or_bad() -> None:
    # Gains are twice the values: two tokens each, and 0 before training.
    tuning = told(GoodOrBadTuning(net(), beta=0.5, bad=2.0), [1.0, -1.0, 0.5, -0.5, 0.5, 0.1])
    loss, preferred = loss_of(tuning, batch(3))
    anyway = (2 * 0.5 + 2 * 0.1) / 2
    wanted = [
        (1 - sigmoid(0.5 * (good - anyway)) + 2.0 * (1 - sigmoid(0.5 * (anyway - bad)))) / 2
        for good, bad in ((2.0, -2.0), (-1.0, 1.0))
    ]
    assert loss == pytest.approx(sum(wanted) / 2, rel=1e-5)
    assert preferred == 0.5


def test_what_answers_gain_anyway_is_never_below_nothing() -> None:
    low, high = (
        loss_of(told(GoodOrBadTuning(net(), beta=1.0, bad=1.0), [0.0, 0.0, gain] * 2), batch(3))[0]
        for gain in (-3.0, 0.0)
    )
    assert low == high == pytest.approx(0.5)
