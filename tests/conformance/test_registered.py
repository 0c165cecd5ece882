"""Everything registered resolves: a registry string is invisible to the import linter, so it is followed here."""

import pytest

from genwright.core import Component, Config, StageSpec, load_reference
from genwright.core.registry import GROUPS, kinds, registered
from genwright.project.spec import stage_specs

ENTRIES = [(group, kind) for group in GROUPS for kind in kinds(group)]
STAGES = list(kinds("stages"))


def test_the_spine_is_registered():
    making, changing = ["data", "base", "remote", "fit", "train"], ["prune", "adapt", "compress", "prompt"]
    assert sorted([*making, *changing, "index", "evaluate", "answer", "parity", "stylise", "release"]) == STAGES
    nets, trees = (
        {"bidirectional", "dit", "lstm", "mlp", "transformer", "transformers", "unet"},
        {"trees", "masked-trees"},
    )
    assert set(kinds("nets")) == nets | trees
    assert set(kinds("codecs")) >= {"bpe", "bytes", "table-bins", "table-vector"}
    assert set(kinds("modalities")) >= {"text", "table"}
    assert set(kinds("families")) >= {"autoregressive", "vae", "gan", "diffusion", "latent-class", "pca-mixture"}


@pytest.mark.parametrize(("group", "kind"), [e for e in ENTRIES if e[0] != "stages"])
def test_a_component_loads(group, kind):
    entry = registered(group, kind)
    assert isinstance(entry, Component)
    assert entry.kind == kind
    assert issubclass(entry.config, Config)
    assert entry.load() is not None


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_complete(name):
    stage = registered("stages", name)
    assert isinstance(stage, StageSpec)
    assert stage.name == name
    for reference in (stage.run, stage.external, stage.check, stage.ready, stage.fixed, stage.summary):
        assert reference is None or callable(load_reference(reference))


def test_stages_feed_each_other_in_order():
    made = set()
    for stage in stage_specs():
        assert set(stage.inputs) <= made, f"{stage.name} asks for what no earlier stage makes"
        made |= set(stage.outputs)


@pytest.mark.parametrize(("group", "kind"), [e for e in ENTRIES if e[0] in ("nets", "families", "codecs")])
def test_the_simplest_config_is_the_default(group, kind):
    assert registered(group, kind).config.parse({"kind": kind}, where=kind).kind == kind


@pytest.mark.parametrize(("group", "kind"), ENTRIES)
def test_unknown_keys_are_refused(group, kind):
    with pytest.raises(Exception, match="no_such_key"):
        registered(group, kind).config.parse({"no_such_key": 1}, where=kind)
