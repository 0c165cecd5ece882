"""The autoregressive family: exact likelihood, loss under a mask, sampling, and its folder."""

from pathlib import Path

import pytest
import torch

from genwright.core import CapabilityError, IntegrityError
from genwright.core.protocols import Clock, Family, Given, Tokens, TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.autoregressive import Autoregressive
from genwright.families.store import build_family, load_family, save_family
from genwright.nets import TransformerConfig

SHAPE = TokenShape(vocab_size=3, bos_id=0, eos_id=1, context_tokens=8)


def build() -> Autoregressive:
    net = TransformerConfig(d_model=16, num_layers=1, num_heads=2)
    config = AutoregressiveConfig(net=net).resolve(depth=1, shape=SHAPE)
    family: Autoregressive = build_family(config, shape=SHAPE, seed=5)
    generator = torch.Generator().manual_seed(1)
    for parameter in family.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return family.eval()


def test_keeps_the_protocol() -> None:
    assert isinstance(build(), Family)


def test_probabilities_of_all_sequences_sum_to_one() -> None:
    grid = torch.cartesian_prod(*[torch.arange(3)] * 4)
    ids = torch.cat((torch.zeros(len(grid), 1, dtype=torch.long), grid), dim=1)
    bound = build().log_prob(Tokens(ids))
    assert bound.kind == "exact"
    assert bound.value is not None
    assert float(bound.value.exp().sum()) == pytest.approx(1.0, abs=1e-5)


def test_batches_of_like_length_have_together_the_loss_of_all_rows() -> None:
    family = build()
    long, short = torch.tensor([[0, 2, 2, 2, 1], [0, 2, 0, 2, 1]]), torch.tensor([[0, 2, 1], [0, 0, 1]])

    def loss(batch: Tokens) -> float:
        ((_, value, _),) = family.losses(batch, Clock(0, 0.0))
        return float(value.detach())

    parts = [loss(Tokens(ids, torch.ones_like(ids).bool(), mean_tokens=3.0)) for ids in (long, short)]
    ids = torch.cat((long, torch.nn.functional.pad(short, (0, 2), value=1)))
    whole = loss(Tokens(ids, torch.arange(5) < torch.tensor([[5], [5], [3], [3]])))
    assert sum(parts) / 2 == pytest.approx(whole, abs=1e-5)


def test_loss_is_the_mean_over_what_counts() -> None:
    family = build()
    ids = torch.tensor([[0, 2, 1, 2], [0, 1, 1, 0]])
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    ((part, loss, logs),) = family.losses(Tokens(ids, mask), Clock(0, 0.0))
    value = family.log_prob(Tokens(ids, mask)).value
    assert value is not None
    assert part == "net"
    assert float(loss.detach()) == pytest.approx(-float(value.sum()) / 4, abs=1e-5)
    assert float(logs["loss"]) == pytest.approx(float(loss.detach()))


def test_samples_repeat_with_the_generator() -> None:
    family = build()
    first = family.sample(3, steps=6, rng=torch.Generator().manual_seed(7))
    assert first.ids.shape[0] == 3 and (first.ids[:, 0] == SHAPE.bos_id).all()
    assert torch.equal(first.ids, family.sample(3, steps=6, rng=torch.Generator().manual_seed(7)).ids)
    again = family.sample(3, steps=6, rng=torch.Generator().manual_seed(9)).ids
    assert again.shape != first.ids.shape or not torch.equal(first.ids, again)
    with pytest.raises(CapabilityError, match="no cond"):
        family.sample(1, guidance=2.0)


def test_no_sample_is_empty() -> None:
    ids = build().sample(60, steps=3, rng=torch.Generator().manual_seed(3)).ids
    assert bool((ids[:, 1] != SHAPE.eos_id).all()) and bool((ids[:, 2] == SHAPE.eos_id).any())
    given = Given(Tokens(torch.tensor([[0, 2]] * 60)), torch.ones(60, 2, dtype=torch.bool))
    after = build().sample(60, steps=3, given=given, rng=torch.Generator().manual_seed(3)).ids
    assert bool((after[:, 2] == SHAPE.eos_id).any())


def test_the_start_of_a_row_can_be_given() -> None:
    family = build()
    ids = torch.tensor([[0, 2, 2, 0], [0, 2, 0, 0]])
    known = torch.tensor([[True, True, True, False], [True, True, False, False]])
    made = family.sample(2, given=Given(Tokens(ids), known), rng=torch.Generator().manual_seed(7)).ids
    assert made[0, :3].tolist() == [0, 2, 2] and made[1, :2].tolist() == [0, 2]
    with pytest.raises(CapabilityError, match="only the start"):
        family.sample(2, given=Given(Tokens(ids), ~known))


def test_the_folder_gives_the_family_back(tmp_path: Path) -> None:
    family = build()
    save_family(tmp_path, config=family.config, shape=SHAPE, tensors=family.state_dict(), facts={"num_steps": 3})
    loaded = load_family(tmp_path)
    assert loaded.config == family.config
    for name, value in family.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_a_broken_folder_is_named(tmp_path: Path) -> None:
    family = build()
    save_family(tmp_path, config=family.config, shape=SHAPE, tensors=family.state_dict(), facts={})
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(IntegrityError, match="not a readable model"):
        load_family(tmp_path)


def test_the_embedding_is_of_the_tokens_that_count() -> None:
    family = build()
    ids = torch.tensor([[0, 2, 2, 1, 1], [0, 2, 1, 1, 1]])
    mask = torch.tensor([[True] * 4 + [False], [True] * 3 + [False] * 2])
    found = family.embed(Tokens(ids, mask))
    assert found.shape == (2, 16)
    assert torch.allclose(found[1], family.embed(Tokens(ids[1:, :3]))[0], atol=1e-6)
    assert not torch.allclose(found[0], found[1], atol=1e-3)
