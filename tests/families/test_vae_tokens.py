"""The variational autoencoder over tokens, alone and as the first of two stages."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Clock, Family, Given, Tokens, TokenShape
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.gan_config import GanConfig
from genwright.families.latent_config import LatentConfig
from genwright.families.store import build_family
from genwright.families.vae_config import VaeConfig
from genwright.families.vae_tokens import TokenVae
from genwright.nets import MlpConfig

from .dense_toys import train

LAYOUT = TokenShape(vocab_size=2, bos_id=0, eos_id=0, context_tokens=3, cells=((0, 2),) * 3, cond_size=2)
WORDS = TokenShape(vocab_size=5, bos_id=0, eos_id=1, context_tokens=7)
OWN = VaeConfig(width=32, num_layers=1, d_latent=4, num_components=12)


def build(shape: TokenShape, config: Any = OWN) -> Any:
    return build_family(config.resolve(depth=2, shape=shape), shape=shape, seed=1)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def words(count: int, *, seed: int) -> Tokens:
    """One to five times the letter 2, 3 or 4, between marks: 15 sequences, equally likely."""
    draw = rng(seed)
    length = torch.randint(1, 6, (count,), generator=draw)
    letter = torch.randint(2, 5, (count, 1), generator=draw)
    place = torch.arange(7)
    ids = torch.where((place >= 1) & (place <= length[:, None]), letter, 1)
    ids[:, 0] = 0
    return Tokens(ids, place < length[:, None] + 2)


def told_cells(count: int, *, seed: int) -> Tokens:
    """Three equal bits, which the condition tells."""
    bit = torch.randint(0, 2, (count, 1), generator=rng(seed))
    return Tokens(bit.expand(-1, 3), None, torch.eye(2)[bit[:, 0]])


def share_legal(out: Tokens) -> float:
    assert out.mask is not None
    lengths = out.mask.sum(1) - 2
    legal = [
        1 <= n <= 5 and len(set(row[1 : n + 1].tolist())) == 1 and set(row[1 : n + 1].tolist()) <= {2, 3, 4}
        for row, n in zip(out.ids, lengths.tolist(), strict=True)
    ]
    return sum(legal) / len(legal)


@pytest.fixture(scope="module")
def of_words() -> TokenVae:
    family: TokenVae = build(WORDS)
    train(family, words, steps=500)
    return family


def test_samples_are_words_of_all_lengths(of_words: TokenVae) -> None:
    assert isinstance(of_words, Family)
    out = of_words.sample(300, rng=rng())
    assert out.mask is not None
    assert share_legal(out) > 0.85
    assert set((out.mask.sum(1) - 2).tolist()) >= {1, 2, 3, 4, 5}


def test_the_latent_is_used_and_the_bound_is_near_the_truth(of_words: TokenVae) -> None:
    batch = words(500, seed=10**7)
    again = of_words.reconstruct(batch)
    assert (again.ids[:, 1] == batch.ids[:, 1]).float().mean() > 0.9
    bound = of_words.log_prob(batch)
    assert bound.kind == "lower"
    assert bound.value is not None
    assert math.log(15) - 0.05 < -float(bound.value.mean()) < math.log(15) + 1.0


def test_steps_agree_with_the_whole_sequence(of_words: TokenVae) -> None:
    batch = words(6, seed=3)
    z, read = of_words.embed(batch), of_words._inputs(batch.ids)
    whole = of_words.decoder(read, z, None)
    past: list[list[torch.Tensor]] = [[] for _ in of_words.decoder.layers]
    for place in range(read.shape[1]):
        one = of_words.decoder.step(read[:, place], z, None, place=place, past=past)
        assert torch.allclose(one, whole[:, place], atol=1e-4)


def test_same_seed_same_bits_and_given_tokens_stay(of_words: TokenVae) -> None:
    first, again, other = (of_words.sample(20, rng=rng(seed)).ids for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    ids = torch.tensor([[0, 2, 2, 3]]).repeat(50, 1)
    known = torch.tensor([[False, False, False, True]]).repeat(50, 1)
    out = of_words.sample(50, given=Given(Tokens(ids), known), rng=rng())
    assert bool((out.ids[:, 3] == 3).all())
    assert (out.ids[:, 1:3] == 3).float().mean() > 0.7


def test_fixed_layout_follows_the_condition() -> None:
    family = build(LAYOUT)
    train(family, told_cells, steps=200)
    cond = torch.eye(2)[torch.arange(80) % 2]
    ids = family.sample(80, cond=cond, rng=rng()).ids
    assert isinstance(family, TokenVae)
    assert bool(((ids == 0) | (ids == 1)).all())
    assert (ids == (torch.arange(80) % 2)[:, None]).float().mean() > 0.95


@pytest.mark.parametrize("prior", [DiffusionConfig(net=MlpConfig(width=32), steps=10), GanConfig(width=32)])
def test_priors_over_the_latent_make_words(prior: Any) -> None:
    family = build(WORDS, LatentConfig(autoencoder=OWN, prior=prior))
    train(family, words, steps=500)
    assert share_legal(family.sample(300, rng=rng())) > 0.7


def test_what_does_not_fit_is_said(of_words: TokenVae) -> None:
    for asked in ({"guidance": 2.0}, {"cond": torch.eye(2)}, {"given": [1]}):
        with pytest.raises(CapabilityError):
            of_words.sample(2, **asked)


def test_batches_of_like_length_have_together_the_loss_of_all_rows() -> None:
    family = build(WORDS, OWN.model_copy(update={"word_dropout": 0.0, "free_nats": 0.0}))
    torch.nn.init.zeros_(family.encoder.head.weight)
    torch.nn.init.constant_(family.encoder.head.bias, -9.0)  # hardly any noise, so that a loss says what it weighs
    batch = words(64, seed=5)
    assert batch.mask is not None
    order = batch.mask.sum(1).argsort()
    mean = float(batch.mask[:, 1:].sum()) / 64

    def loss(part: torch.Tensor, mean_tokens: float | None) -> float:
        ((_, value, _),) = family.losses(Tokens(batch.ids[part], batch.mask[part], None, mean_tokens), Clock(0, 1.0))
        return float(value.detach())

    parts = [loss(order[:32], mean), loss(order[32:], mean)]
    assert abs(parts[0] - parts[1]) > 0.1
    assert sum(parts) / 2 == pytest.approx(loss(order, None), rel=1e-3)
