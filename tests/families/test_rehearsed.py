"""Rehearsal: the stretches' loss is that of its definition, and what is held to stays where it was."""

import copy

import pytest
import torch

from genwright.core.protocols import Clock, PackedTokens
from genwright.families.rehearsed import Rehearsed, RehearsedTuning
from genwright.families.tuning import SupervisedTuning
from genwright.nets.lora import attach, without_adapters
from genwright.nets.lora_config import LoraConfig

from .test_distilled import net


def packed(seed, lengths):
    ids = torch.randint(40, (sum(lengths) + 1,), generator=torch.Generator().manual_seed(seed))
    return PackedTokens(
        ids[:-1], ids[1:], torch.ones(sum(lengths), dtype=torch.bool), lengths, sum(lengths) / len(lengths)
    )


def adapted(kind="lora"):
    made = net(2, 0)
    attach(made, config=LoraConfig(rank=4, alpha=8.0), kind=kind, seed=0)
    return made


def moved(made):
    with torch.no_grad():
        for name, value in made.named_parameters():
            if "lora_B" in name or "magnitude" in name:
                value.add_(0.2 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1)))
    return made


def loss_of(family, batch):
    ((_, loss, logs),) = family.losses(batch, Clock(0, 0.0))
    return loss, logs


@pytest.mark.parametrize("kind", ["lora", "dora", "qlora"])
def test_without_adapters_the_net_is_what_it_was_and_afterwards_what_it_is(kind):
    batch = packed(1, (20, 39))
    family = SupervisedTuning(adapted(kind))
    before = family.target_log_prob(batch)
    moved(family.net)
    after = family.target_log_prob(batch)
    with without_adapters(family.net):
        torch.testing.assert_close(family.target_log_prob(batch), before)
    assert (after - before).abs().max() > 0.05
    torch.testing.assert_close(family.target_log_prob(batch), after)


def test_the_loss_is_the_answers_and_the_stretches_per_token():
    answers, stretches = packed(1, (10, 12)), packed(2, (16,))
    made = moved(adapted())
    plain, _ = loss_of(SupervisedTuning(made), answers)
    nats = -SupervisedTuning(made).target_log_prob(stretches).mean()
    learned, logs = loss_of(RehearsedTuning(made, towards="text", weight=0.5), Rehearsed(answers, stretches, share=0.5))
    torch.testing.assert_close(learned, plain + 0.5 * nats)
    torch.testing.assert_close(logs["rehearsal"], nats.detach())
    assert torch.equal(logs["loss"], plain.detach())
    alone, _ = loss_of(RehearsedTuning(made, towards="text", weight=0.5), Rehearsed(answers, None, share=0.5))
    torch.testing.assert_close(alone, plain)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_divergence_is_from_the_net_as_it_was(method):
    """0 before anything moved; afterwards that of both nets' distributions, and its gradient leads back."""
    made = adapted() if method == "lora" else net(2, 0)
    before = copy.deepcopy(made)
    base = before if method == "full" else None
    family = RehearsedTuning(made, towards="base", weight=1.0, base=base)
    batch = Rehearsed(packed(1, (10,)), packed(2, (16, 8)), share=2.0)
    assert not any("base" in name for name in family.state_dict())
    assert float(loss_of(family, batch)[1]["rehearsal"]) == pytest.approx(0.0, abs=1e-6)
    if method == "lora":
        moved(made)
    else:
        with torch.no_grad():
            made.head()[0].mul_(1.5)
    loss, logs = loss_of(family, batch)
    ours, theirs = (_log_probs(one, batch.stretches) for one in (made, before))
    wanted = (theirs.exp() * (theirs - ours)).sum(-1).mean()
    torch.testing.assert_close(logs["rehearsal"], wanted.detach())
    loss.backward()
    assert any(value.grad is not None and value.grad.abs().sum() > 0 for value in made.parameters())
    assert all(value.grad is None for value in before.parameters())


@torch.no_grad()
def _log_probs(made, batch):
    hidden = made.packed_features(batch.ids, lengths=batch.lengths)
    return (hidden @ made.head()[0].T).log_softmax(-1)
