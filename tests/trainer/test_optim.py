"""The optimisers: which parameters go where."""

import torch
from torch.optim import Muon

from genwright.trainer import OptimiserConfig
from genwright.trainer.muon import Float32Muon
from genwright.trainer.optim import PartOptimiser

from .fakes import make_family


def test_matrices_go_to_muon_and_the_rest_to_adamw() -> None:
    family = make_family()
    part = PartOptimiser(
        dict(family.named_parameters()),
        originals={name: value.detach() for name, value in family.named_parameters()},
        embeddings={"net.embed_tokens.weight"},
        config=OptimiserConfig(),
        learning_rate=0.01,
        average=False,
    )
    muon, adamw = part.optimisers
    assert all(p.ndim == 2 for group in muon.param_groups for p in group["params"])
    embedding = family.net.embed_tokens.weight
    assert any(p is embedding for group in adamw.param_groups for p in group["params"])
    count = sum(len(group["params"]) for optimiser in part.optimisers for group in optimiser.param_groups)
    assert count == len(list(family.parameters()))


def test_float32_muon_moves_like_pytorchs() -> None:
    """Same update as torch.optim.Muon, to within bfloat16's rounding there, for wide, tall and repeated shapes."""
    moved = []
    for kind in (Muon, Float32Muon):
        torch.manual_seed(0)
        parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in ((64, 32), (64, 32), (32, 48))]
        optimiser = kind(parameters, lr=0.01, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
        for step in range(5):
            for parameter in parameters:
                parameter.grad = torch.sin(parameter.detach() * (step + 1))
            optimiser.step()
        moved.append([parameter.detach().clone() for parameter in parameters])
    for theirs, ours in zip(*moved, strict=True):
        torch.testing.assert_close(theirs, ours, atol=1e-3, rtol=0)
