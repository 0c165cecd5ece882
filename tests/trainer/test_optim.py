"""The optimisers: which parameters go where."""

from genwright.trainer import OptimiserConfig
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
