"""Which codec a family works on where none is asked for."""

import pytest

from genwright.stages.fit import config as fit
from genwright.stages.train import config as train


@pytest.mark.parametrize("family", ["autoregressive", "vae", "diffusion", "gan", "cart", {"kind": "gan", "width": 8}])
def test_every_family_works_on_tokens_by_itself(family) -> None:
    table = {"train": {"family": family}, "fit": {}}
    assert fit.settle({}, table, "table")["codec"]["kind"] == "table-bins"
    found = train.settle(table["train"], table, "table")["family"]
    latent = "gan" in str(family)
    assert found == ({"kind": "latent", "prior": {"kind": "gan"} if family == "gan" else family} if latent else family)


def test_a_gan_works_on_vectors_where_they_are_asked_for() -> None:
    table = {"train": {"family": "gan"}, "fit": {"codec": "table-vector"}}
    assert fit.settle(table["fit"], table, "table")["codec"]["kind"] == "table-vector"
    assert train.settle(table["train"], table, "table")["family"] == "gan"
