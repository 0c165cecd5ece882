"""Distillation: the divergence is that of its definition, and a student comes near its teacher."""

import torch
from torch.nn import functional

from genwright.core.protocols import Clock, PackedTokens
from genwright.families.distilled import DistilledTuning, linear_divergence
from genwright.nets import TransformerConfig
from genwright.nets.transformer import Transformer


def net(num_layers, seed):
    torch.manual_seed(seed)
    made = Transformer(TransformerConfig(num_layers=num_layers, d_model=32, num_heads=2, d_ff=64).resolve(
        depth=num_layers, vocab_size=40), vocab_size=40)  # fmt: skip
    for parameter in made.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return made


def batch():
    ids = torch.randint(40, (60,), generator=torch.Generator().manual_seed(1))
    return PackedTokens(ids[:-1], ids[1:], torch.arange(59) % 3 > 0, (20, 39), 19.5)


def test_the_divergence_and_its_gradient_are_those_of_the_definition(monkeypatch):
    monkeypatch.setattr("genwright.families.distilled.BLOCK_ROWS", 7)
    generator = torch.Generator().manual_seed(0)
    hidden, weight, taught, theirs = (
        torch.randn(*size, generator=generator, requires_grad=True) for size in ((20, 8), (11, 8), (20, 6), (11, 6))
    )
    found = linear_divergence(hidden, weight, taught.detach(), theirs.detach(), temperature=2.0)
    ours = (hidden @ weight.T / 2).log_softmax(-1)
    wanted = (taught @ theirs.T / 2).detach().softmax(-1)
    plain = 4 * (wanted * (wanted.log() - ours)).sum()
    torch.testing.assert_close(found, plain)
    for one, other in zip(
        torch.autograd.grad(found, (hidden, weight)), torch.autograd.grad(plain, (hidden, weight)), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_a_student_comes_near_its_teacher_and_leaves_it_alone():
    teacher, student = net(3, 0), net(1, 1)
    family = DistilledTuning(student, teacher=teacher, share=1.0, temperature=1.0)
    assert not any("teacher" in name for name in family.state_dict())
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    optimiser = torch.optim.AdamW(family.parts()["net"], lr=0.01)
    losses = []
    for _ in range(40):
        (_, loss, logs), *_ = family.losses(batch(), Clock(0, 0.0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(logs["divergence"]))
    assert losses[-1] < 0.3 * losses[0]
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_the_share_mixes_both_parts():
    teacher, student = net(2, 0), net(1, 1)
    logs = {}
    for share in (0.25, 1.0):
        family = DistilledTuning(student, teacher=teacher, share=share, temperature=1.0)
        (_, _, logs[share]), *_ = family.losses(batch(), Clock(0, 0.0))
    mixed = 0.25 * logs[0.25]["divergence"] + 0.75 * logs[0.25]["nats"]
    torch.testing.assert_close(logs[0.25]["loss"], mixed)
    torch.testing.assert_close(logs[1.0]["loss"], logs[1.0]["divergence"])
    assert functional.relu(logs[1.0]["divergence"]) > 0
