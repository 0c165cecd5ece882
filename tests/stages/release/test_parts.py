"""A release names what the system's manifest names: each part once, by what it is in the system, and nothing else."""

from types import SimpleNamespace

import pytest

from genwright.core import Artifact, DataError
from genwright.stages.release.parts import parts
from genwright.systems import GroundedManifest, Manifest, write_manifest

DIGESTS = {name: f"{number:064x}" for number, name in enumerate(("base", "adapt", "codec", "prompt", "index"))}


def context(folder, manifest, **inputs):
    write_manifest(manifest, folder=folder)
    found = {slot: Artifact("x", DIGESTS[name], folder) for slot, name in inputs.items()}
    return SimpleNamespace(inputs={"system": Artifact("system", "f" * 64, folder), **found})


def test_model_draft_and_prompt_are_parts_whatever_their_slot(tmp_path):
    manifest = Manifest(model=DIGESTS["base"], draft=DIGESTS["adapt"], codec=DIGESTS["codec"], prompt=DIGESTS["prompt"])
    slots = {"model": "adapt", "model:adapt": "adapt", "model:base": "base", "codec": "codec", "prompt": "prompt"}
    found = parts(context(tmp_path, manifest, **slots, index="index"))
    assert {name: part.digest for name, part in found.items()} == {
        "model": DIGESTS["base"], "draft": DIGESTS["adapt"], "codec": DIGESTS["codec"], "prompt": DIGESTS["prompt"],
    }  # fmt: skip


def test_a_grounded_system_has_the_parts_of_its_generator(tmp_path):
    generator = Manifest(model=DIGESTS["base"], codec=DIGESTS["codec"])
    manifest = GroundedManifest(
        index=DIGESTS["index"], encoder=DIGESTS["adapt"], grounding=DIGESTS["prompt"], generator=generator
    )
    slots = {"model": "base", "codec": "codec", "index": "index", "encoder": "adapt", "grounding": "prompt"}
    assert set(parts(context(tmp_path, manifest, **slots))) == set(slots)
    plain = manifest.model_copy(update={"generator": None})
    assert set(parts(context(tmp_path, plain, **slots))) == {"index", "encoder", "grounding"}


def test_a_part_that_no_stage_made_is_named(tmp_path):
    manifest = Manifest(model=DIGESTS["base"], codec=DIGESTS["codec"])
    with pytest.raises(DataError, match="the system's model is 000000000000"):
        parts(context(tmp_path, manifest, model="adapt", codec="codec"))
