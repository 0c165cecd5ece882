"""The sampler's rules one by one, and its draws against the distribution they claim."""

import pytest
import torch
from torch import Tensor

from genwright.families import SamplingConfig
from genwright.families.sampler import controls_for, draw, invert, penalise, truncate

LOGITS = torch.tensor([[2.0, 1.0, 0.5, -1.0, -3.0]])


def shares(sampling: SamplingConfig, *, seen: list[int] | None = None, n: int = 20_000) -> Tensor:
    controls = controls_for([sampling] * n, vocab_size=5, device=torch.device("cpu"))
    mask = torch.zeros(n, 5, dtype=torch.bool)
    mask[:, seen or []] = True
    uniforms = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    ids = draw(LOGITS.expand(n, 5), controls=controls, seen=mask, uniforms=uniforms)
    return torch.bincount(ids, minlength=5) / n


def test_plain_draws_follow_the_softmax() -> None:
    torch.testing.assert_close(shares(SamplingConfig()), LOGITS[0].softmax(0), atol=1e-3, rtol=0)


def test_temperature_divides_the_logits() -> None:
    expected = (LOGITS[0] / 0.5).softmax(0)
    torch.testing.assert_close(shares(SamplingConfig(temperature=0.5)), expected, atol=1e-3, rtol=0)


def test_zero_temperature_is_greedy() -> None:
    assert shares(SamplingConfig(temperature=0.0))[0] == 1.0


def test_top_k_keeps_k() -> None:
    expected = LOGITS[0].softmax(0) * torch.tensor([1, 1, 0, 0, 0])
    torch.testing.assert_close(shares(SamplingConfig(top_k=2)), expected / expected.sum(), atol=1e-3, rtol=0)


def test_top_p_keeps_the_smallest_set_that_reaches_p() -> None:
    probabilities = LOGITS[0].softmax(0)
    assert probabilities[0] < 0.7 < probabilities[:2].sum()
    assert (shares(SamplingConfig(top_p=0.7)) > 0).tolist() == [True, True, False, False, False]
    assert shares(SamplingConfig(top_p=1e-9))[0] == 1.0


def test_min_p_is_relative_to_the_best() -> None:
    relative = (LOGITS[0] - LOGITS[0].max()).exp()
    expected = (relative >= 0.2).tolist()
    assert (shares(SamplingConfig(min_p=0.2)) > 0).tolist() == expected


def test_repetition_penalty_lowers_both_signs() -> None:
    out = penalise(
        LOGITS.double(), seen=torch.tensor([[True, False, False, True, False]]), penalty=torch.tensor([[2.0]])
    )
    assert out.tolist() == [[1.0, 1.0, 0.5, -2.0, -3.0]]
    assert shares(SamplingConfig(repetition_penalty=2.0), seen=[0])[0] < shares(SamplingConfig())[0]


def test_rows_keep_their_own_settings() -> None:
    controls = controls_for(
        [SamplingConfig(temperature=0.0), SamplingConfig(top_k=1), SamplingConfig()],
        vocab_size=5,
        device=torch.device("cpu"),
    )
    ids = draw(
        LOGITS.expand(3, 5),
        controls=controls,
        seen=torch.zeros(3, 5, dtype=torch.bool),
        uniforms=torch.tensor([0.999999, 0.999999, 0.999999]),
    )
    assert ids.tolist() == [0, 0, 4]


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2**-53])
def test_the_ends_of_the_unit_interval_draw_possible_tokens(uniform: float) -> None:
    weights = torch.tensor([[0.0, 0.3, 0.7, 0.0]], dtype=torch.float64)
    drawn = invert(weights, uniforms=torch.tensor([uniform], dtype=torch.float64))
    assert weights[0, drawn.item()] > 0


def test_truncation_never_leaves_nothing() -> None:
    one = torch.ones(1, 1)
    ordered = torch.tensor([[0.4, 0.3, 0.3]], dtype=torch.float64)
    kept = truncate(ordered, top_k=one.long(), top_p=one * 1e-9, min_p=one)
    assert (kept > 0).tolist() == [[True, False, False]]
