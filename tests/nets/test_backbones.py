"""Nets over vectors and images: shapes, identity at the start, and what a condition changes."""

import pytest
import torch

from genwright.core import component
from genwright.core.protocols import GridShape
from genwright.nets.conditioning import ConditionEmbedding, TimeEmbedding
from genwright.nets.conv import ConvDecoder, ConvEncoder
from genwright.nets.mlp import Mlp


def test_rows_without_a_condition_get_the_learned_vector() -> None:
    embedding = ConditionEmbedding(2, 3).eval()
    torch.nn.init.normal_(embedding.none)
    cond = torch.tensor([[1.0, 2.0], [float("nan"), 1.0]])
    out = embedding(cond, count=2)
    assert torch.equal(out[1], embedding.none)
    assert torch.allclose(out[0], embedding.linear(cond[0]))
    assert torch.equal(embedding(None, count=2), embedding.none.expand(2, -1))


def test_training_drops_a_tenth_of_the_conditions() -> None:
    embedding = ConditionEmbedding(1, 1)
    torch.nn.init.ones_(embedding.linear.weight)
    torch.nn.init.zeros_(embedding.linear.bias)
    torch.manual_seed(0)
    out = embedding(torch.ones(4000, 1), count=4000)
    assert float((out == 0).float().mean()) == pytest.approx(0.1, abs=0.02)


def test_times_differ_and_gradients_stay_away_from_nan() -> None:
    embedding = TimeEmbedding(8)
    out = embedding(torch.tensor([0.0, 0.001, 1.0]))
    assert (out[0] - out[1]).abs().max() > 1e-4
    condition = ConditionEmbedding(1, 2)
    condition(torch.tensor([[float("nan")], [1.0]]), count=2).sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in condition.parameters())


def test_mlp_reads_time_and_condition_once_trained() -> None:
    torch.manual_seed(0)
    net = Mlp(3, 2, width=8, num_layers=2, cond_size=2, timed=True).eval()
    x, time, cond = torch.randn(4, 3), torch.rand(4), torch.randn(4, 2)
    assert not net(x, time, cond).any(), "the last layer starts at zero"
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    out = net(x, time, cond)
    assert out.shape == (4, 2)
    assert not torch.allclose(out, net(x, time + 0.5, cond))
    assert not torch.allclose(out, net(x, time, -cond))
    assert net.bfloat16()(x, time, cond).dtype == torch.float32


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9), (28, 28)])
@pytest.mark.parametrize("normalised", [True, False])
def test_decoder_gives_the_size_back_that_the_encoder_took(height: int, width: int, normalised: bool) -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder(2, height, width, width=16, num_blocks=1, cond_size=3, normalised=normalised)
    decoder = ConvDecoder(2, height, width, d_in=32, width=16, num_blocks=1, cond_size=3, normalised=normalised)
    x, cond = torch.randn(2, 2, height, width), torch.randn(2, 3)
    h = encoder(x, cond)
    assert h.shape == (2, encoder.channels, *encoder.map_size)
    assert decoder(h, cond).shape == x.shape
    assert any(isinstance(module, torch.nn.GroupNorm) for module in encoder.modules()) == normalised


@pytest.mark.parametrize("kind", ["unet", "dit"])
def test_image_nets_keep_the_size_and_are_told_time_and_condition(kind: str) -> None:
    torch.manual_seed(0)
    entry = component("nets", kind)
    config = entry.config.parse({"kind": kind, "width": 16, "num_layers": 1}, where="net").resolve(depth=2)
    net = entry.load()(config, shape=GridShape(3, 7, 9, cond_size=2)).eval()
    x, time, cond = torch.randn(4, 3, 7, 9), torch.rand(4), torch.randn(4, 2)
    assert not net(x, time, cond).any(), "the last layer starts at zero"
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    out = net(x, time, cond)
    assert out.shape == x.shape
    assert not torch.allclose(out, net(x, time + 0.5, cond))
    assert not torch.allclose(out, net(x, time, -cond))
    assert not torch.allclose(out, net(x, time, None))
    assert net.bfloat16()(x, time, cond).dtype == torch.float32


def test_the_dial_fills_in_what_is_open() -> None:
    config = component("nets", "dit").config
    assert config().resolve(depth=6).sizes() == (192, 6)
    assert config(width=40).resolve(depth=6).sizes() == (40, 6)
