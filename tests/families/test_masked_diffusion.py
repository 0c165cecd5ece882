"""Masked diffusion: its bound against an exact likelihood, completion in any order, conditions, lengths."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Clock, Family, Given, Tokens, TokenShape
from genwright.families.diffusion_config import DiffusionConfig
from genwright.families.masked_diffusion import MaskedDiffusion
from genwright.families.store import build_family
from genwright.nets import BidirectionalConfig
from genwright.nets.plain import plain_formulas

from .dense_toys import train

# Three columns: two binary ones and their exclusive or; the condition may tell the first.
LAYOUT = TokenShape(vocab_size=6, bos_id=0, eos_id=0, context_tokens=3, cells=((0, 2), (2, 2), (4, 2)))
CONDITIONED = TokenShape(6, 0, 0, 3, cells=((0, 2), (2, 2), (4, 2)), cond_size=2)
WORDS = TokenShape(vocab_size=5, bos_id=0, eos_id=1, context_tokens=7)


def build(shape: TokenShape, **settings: Any) -> MaskedDiffusion:
    config = DiffusionConfig(net=BidirectionalConfig(width=32, num_layers=2), **settings).resolve(depth=2, shape=shape)
    family: MaskedDiffusion = build_family(config, shape=shape, seed=1)
    return family


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parity(count: int, *, seed: int) -> Tokens:
    bits = torch.randint(0, 2, (count, 2), generator=rng(seed))
    return Tokens(torch.cat((bits, bits.sum(1, keepdim=True) % 2), dim=1) + torch.tensor([0, 2, 4]))


def told_parity(count: int, *, seed: int) -> Tokens:
    batch = parity(count, seed=seed)
    hint = torch.where(torch.rand(count, generator=rng(seed)) < 0.75, batch.ids[:, 0], 1 - batch.ids[:, 0])
    return Tokens(batch.ids, None, torch.eye(2)[hint])


def words(count: int, *, seed: int) -> Tokens:
    """One to five times the letter 2, 3 or 4, between marks."""
    draw = rng(seed)
    length = torch.randint(1, 6, (count,), generator=draw)
    letter = torch.randint(2, 5, (count, 1), generator=draw)
    place = torch.arange(7)
    ids = torch.where((place >= 1) & (place <= length[:, None]), letter, 1)
    ids[:, 0] = 0
    return Tokens(ids, place < length[:, None] + 2)


@pytest.fixture(scope="module")
def of_parity() -> MaskedDiffusion:
    family = build(LAYOUT)
    train(family, parity, steps=300)
    return family


@pytest.fixture(scope="module")
def of_words() -> MaskedDiffusion:
    family = build(WORDS)
    train(family, words, steps=400)
    return family


def exact_nats(family: MaskedDiffusion) -> float:
    """The cross entropy of the four rows under the sampler that fills in one column at a time, order uniform."""
    rows = torch.tensor([[a, 2 + b, 4 + (a + b) % 2] for a in (0, 1) for b in (0, 1)])
    orders = torch.cartesian_prod(*[torch.arange(3)] * 3)
    orders = orders[[len(set(order.tolist())) == 3 for order in orders]]
    totals = []
    for order in orders:
        total = torch.zeros(4)
        ids = torch.full_like(rows, family.mask_id)
        for place in order:
            logits = family._logits(family.net(ids)[:, place], place.expand(4))
            total += logits.log_softmax(-1).gather(1, rows[:, place, None])[:, 0]
            ids[:, place] = rows[:, place]
        totals.append(total)
    return -float((torch.stack(totals).logsumexp(0) - torch.tensor(6.0).log()).mean())


def test_keeps_the_protocol() -> None:
    assert isinstance(build(LAYOUT), Family)


def test_few_masks_are_left_out_of_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    family, seen = build(WORDS, least_masked=0.4), []
    nats = MaskedDiffusion._nats

    def noted(self: MaskedDiffusion, rows: Any, share: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        seen.append(share)
        return nats(self, rows, share, keys)

    monkeypatch.setattr(MaskedDiffusion, "_nats", noted)
    next(family.losses(words(64, seed=1), Clock(0, 0.0)))
    assert seen[0].min() >= 0.4 and seen[0].max() > 0.95
    family.log_prob(words(64, seed=1))
    assert torch.cat(seen[1:]).min() < 0.1


@torch.no_grad()
def test_bound_is_no_better_than_the_exact_likelihood_and_near_it_once_trained(of_parity: MaskedDiffusion) -> None:
    fresh = build(LAYOUT, likelihood_points=48).eval()
    for parameter in fresh.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3, generator=rng())
    repeated = Tokens(parity(4000, seed=5).ids)
    for family, slack in ((fresh, 10.0), (of_parity, 0.1)):
        bound = family.log_prob(repeated)
        assert bound.kind == "lower"
        assert bound.value is not None
        exact = exact_nats(family)
        assert exact - 0.02 < -float(bound.value.mean()) < exact + slack
    assert exact_nats(of_parity) == pytest.approx(2 * 0.6931, abs=0.05)


def test_the_held_out_estimate_takes_one_pass_and_is_near_the_bound(of_parity: MaskedDiffusion) -> None:
    rows = parity(512, seed=9)
    found, bound = of_parity.held_out_nats(rows), of_parity.log_prob(rows).value
    assert bound is not None and torch.equal(found, of_parity.held_out_nats(rows))
    assert abs(float(found.double().mean() + bound.mean())) < 0.1


def test_samples_keep_the_rule(of_parity: MaskedDiffusion) -> None:
    ids = of_parity.sample(400, rng=rng()).ids - torch.tensor([0, 2, 4])
    assert bool(((ids == 0) | (ids == 1)).all())
    assert (ids.sum(1) % 2 == 0).float().mean() > 0.97
    assert 0.4 < ids[:, 0].float().mean() < 0.6
    at_once = of_parity.sample(400, steps=1, rng=rng()).ids - torch.tensor([0, 2, 4])
    assert (at_once.sum(1) % 2 == 0).float().mean() < 0.7


@pytest.mark.parametrize("place", [0, 1, 2])
def test_any_column_follows_from_the_others(of_parity: MaskedDiffusion, place: int) -> None:
    rows = parity(100, seed=8)
    known = torch.ones(100, 3, dtype=torch.bool)
    known[:, place] = False
    masked = rows.ids.clone()
    masked[:, place] = 0
    out = of_parity.sample(100, given=Given(Tokens(masked), known), rng=rng())
    assert (out.ids == rows.ids).all(1).float().mean() > 0.97


def test_same_seed_same_bits(of_parity: MaskedDiffusion) -> None:
    first, again, other = (of_parity.sample(20, rng=rng(seed)).ids for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    values = [of_parity.log_prob(parity(5, seed=1)).value for _ in range(2)]
    assert torch.equal(*values)


def test_guidance_exaggerates_the_condition() -> None:
    family = build(CONDITIONED)
    train(family, told_parity, steps=300)
    cond = torch.tensor([[0.0, 1.0]]).repeat(500, 1)
    shares = [float(family.sample(500, cond=cond, guidance=g, rng=rng()).ids[:, 0].float().mean()) for g in (0, 1, 3)]
    assert shares[0] == pytest.approx(0.5, abs=0.1)
    assert shares[1] == pytest.approx(0.75, abs=0.08)
    assert shares[2] > shares[1] + 0.08


def test_sequences_have_lengths(of_words: MaskedDiffusion) -> None:
    out = of_words.sample(300, steps=7, rng=rng())
    assert out.ids.shape == (300, 8)
    assert out.mask is not None
    assert bool((out.ids[:, 0] == 0).all())
    lengths = out.mask.sum(1) - 2
    legal = [
        1 <= int(n) <= 5 and len(set(row[1 : n + 1].tolist())) == 1 and set(row[n + 1 :].tolist()) == {1}
        for row, n in zip(out.ids, lengths.tolist(), strict=True)
    ]
    assert sum(legal) > 0.9 * 300
    assert set(lengths.tolist()) >= {1, 2, 3, 4, 5}


def test_infilling_keeps_what_is_given(of_words: MaskedDiffusion) -> None:
    ids = torch.zeros(50, 4, dtype=torch.long)
    ids[:, 3] = 3
    known = torch.tensor([[False, False, False, True]]).repeat(50, 1)
    out = of_words.sample(50, given=Given(Tokens(ids), known), steps=7, rng=rng())
    assert bool((out.ids[:, 3] == 3).all())
    assert (out.ids[:, 1:3] == 3).float().mean() > 0.9


def test_bound_counts_the_end(of_words: MaskedDiffusion) -> None:
    """15 sequences are equally likely."""
    bound = of_words.log_prob(words(2000, seed=77)).value
    assert bound is not None
    assert 2.6 < -float(bound.mean()) < 3.3


LONG = TokenShape(vocab_size=5, bos_id=0, eos_id=1, context_tokens=27)


def runs(count: int, *, seed: int) -> Tokens:
    """4 or 20 times the letter 2 or 3, between marks: four sequences, equally likely."""
    draw = rng(seed)
    length = torch.where(torch.rand(count, generator=draw) < 0.5, 4, 20)
    letter = torch.randint(2, 4, (count, 1), generator=draw)
    place = torch.arange(22)
    ids = torch.where((place >= 1) & (place <= length[:, None]), letter, 1)
    ids[:, 0] = 0
    return Tokens(ids, place < length[:, None] + 2)


@pytest.fixture(scope="module")
def of_runs() -> MaskedDiffusion:
    family = build(LONG)
    train(family, runs, steps=200)
    return family


def test_windows_occur_as_they_did_in_training(of_runs: MaskedDiffusion) -> None:
    assert of_runs.windows is not None
    counts = of_runs.windows.counts
    assert counts[0] > 0 and counts[2] > 0 and counts.count_nonzero() == 2
    assert float(counts[0] / counts.sum()) == pytest.approx(0.5, abs=0.03)
    out = of_runs.sample(400, rng=rng())
    assert out.mask is not None
    lengths = out.mask.sum(1) - 2
    assert ((lengths == 4) | (lengths == 20)).float().mean() > 0.95
    assert float((lengths == 4).float().mean()) == pytest.approx(0.5, abs=0.08)


def test_the_bound_holds_the_window(of_runs: MaskedDiffusion) -> None:
    rows = runs(1000, seed=9)
    bound = of_runs.log_prob(rows).value
    assert bound is not None
    assert -float(bound.mean()) == pytest.approx(2 * 0.6931, abs=0.15)
    assert float(of_runs.held_out_nats(rows).mean()) == pytest.approx(-float(bound.mean()), abs=0.15)
    odd = Tokens(torch.tensor([[0, *[2] * 12, 1]]), torch.ones(1, 14, dtype=torch.bool))
    far = Tokens(torch.tensor([[0, *[2] * 26, 1]]), torch.ones(1, 28, dtype=torch.bool))
    for unseen in (odd, far):  # lengths that did not occur: unlikely, and a number
        value = of_runs.log_prob(unseen).value
        assert value is not None and bool(value.isfinite().all()) and float(value) < float(bound.min())


def test_a_window_leaves_room_behind_what_is_given(of_runs: MaskedDiffusion) -> None:
    ids = torch.full((40, 10), 3)
    ids[:, 0] = 0
    out = of_runs.sample(40, given=Given(Tokens(ids), torch.ones_like(ids, dtype=torch.bool)), rng=rng())
    assert out.mask is not None
    assert bool((out.ids[:, 1:10] == 3).all()) and ((out.mask.sum(1) - 2) == 20).float().mean() > 0.9
    full = torch.full((2, 28), 3)
    whole = of_runs.sample(2, given=Given(Tokens(full), torch.ones_like(full, dtype=torch.bool)), rng=rng())
    assert torch.equal(whole.ids, full)


def test_an_embedding_sees_the_tokens_and_not_what_stands_beside_them(of_runs: MaskedDiffusion) -> None:
    rows = runs(200, seed=3)
    found = of_runs.embed(rows)
    assert found.shape == (200, 32)
    torch.testing.assert_close(found[:1], of_runs.embed(Tokens(rows.ids[:1, :6], rows.mask[:1, :6])))  # type: ignore[index]
    letter = rows.ids[:, 1]
    centres = [found[letter == one].mean(0) for one in (2, 3)]
    nearest = (torch.cdist(found, torch.stack(centres)).argmin(1) + 2 == letter).float().mean()
    assert nearest > 0.95


def test_private_training_counts_no_window() -> None:
    family = build(LONG)
    with plain_formulas():
        next(family.losses(runs(16, seed=1), Clock(0, 0.0)))
    assert family.windows is not None
    assert family.windows.counts.tolist() == [0.0, 0.0, 0.0, 1.0]
    rows = family._rows(runs(16, seed=1))
    assert rows.seen is None and rows.ids.shape[1] == 28


def test_stream_rows_are_not_filled_up() -> None:
    family = build(WORDS)
    rows = Tokens(torch.randint(0, 5, (4, 8), generator=rng()))
    next(family.losses(rows, clock=None))  # type: ignore[arg-type]
    assert family.windows is not None and not family.windows.used
    padded = Tokens(torch.tensor([[0, 2, 1, 1]]), torch.tensor([[True, True, True, False]]))
    cut = Tokens(torch.tensor([[0, 2, 1]]), torch.ones(1, 3, dtype=torch.bool))
    assert family._rows(padded).free.sum() == family._rows(cut).free.sum() == 2


@pytest.mark.parametrize("asked", [{"guidance": 2.0}, {"cond": torch.eye(2)}, {"steps": 0}, {"given": [1, 2]}])
def test_what_does_not_fit_is_said(of_parity: MaskedDiffusion, asked: dict[str, Any]) -> None:
    with pytest.raises(CapabilityError):
        of_parity.sample(2, **asked)
