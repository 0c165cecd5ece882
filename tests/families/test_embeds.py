"""What settings say of an embedding is what the built family has, for every family over every representation."""

import pytest

from genwright.core import CapabilityError, component
from genwright.core.registry import kinds
from genwright.core.representations import GridShape, TokenShape, VectorColumn, VectorShape, representation_of
from genwright.families.store import build_family

SHAPES = {
    "sequences": TokenShape(12, 10, 11, 8),
    "columns": TokenShape(12, 10, 11, 2, ((0, 5), (5, 5))),
    "codes": TokenShape(12, 10, 11, 4, ((0, 10),) * 4),
    "numbers": VectorShape(tuple(VectorColumn(f"c{at}", "number") for at in range(3))),
    "pictures": GridShape(1, 8, 8),
}
OWN = [kind for kind in kinds("families") if component("families", kind).factory.startswith("genwright.")]


@pytest.mark.parametrize("over", SHAPES)
@pytest.mark.parametrize("kind", OWN)
def test_settings_know_whether_samples_have_an_embedding(kind, over):
    entry, shape = component("families", kind), SHAPES[over]
    made = representation_of(shape)
    if made not in entry.accepts:
        pytest.skip("not accepted")
    config = entry.config.parse({"kind": kind}, where=kind)
    try:
        family = build_family(config.resolve(depth=1, shape=shape), shape=shape, seed=0)
    except (ValueError, CapabilityError) as refused:
        pytest.skip(str(refused))
    assert config.embeds(made, own_ids=over == "columns") == hasattr(family, "embed")


@pytest.mark.parametrize("kind", OWN)
def test_settings_know_who_can_exaggerate_a_condition(kind):
    config = component("families", kind).config.parse({"kind": kind}, where=kind)
    assert config.guides() == (kind in {"autoregressive", "diffusion", "latent"})


def test_a_latent_guides_where_its_prior_does_and_trees_do_not():
    parse = component("families", "latent").config.parse
    assert not parse({"kind": "latent", "prior": "gan"}, where="train.family").guides()
    trees = {"kind": "autoregressive", "net": {"kind": "trees"}}
    assert not component("families", "autoregressive").config.parse(trees, where="train.family").guides()
