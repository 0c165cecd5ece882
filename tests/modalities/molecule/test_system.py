"""A codec and a family together: molecules from nothing, from a beginning, and from a text with a gap."""

import pyarrow as pa
import pytest
import torch

from genwright.core import CapabilityError
from genwright.families.ngram import Ngram
from genwright.families.ngram_config import NgramConfig
from genwright.families.store import build_family
from genwright.modalities.molecule.codec import SelfiesCodec, SmilesCodec
from genwright.modalities.molecule.config import SelfiesCodecConfig, SmilesCodecConfig
from genwright.modalities.molecule.modality import MoleculeModality
from genwright.systems.rows import RowSystem
from genwright.trainer.rows import RowFeed

from .nci import table


def system(codec):
    rows = table(0, 400)
    family = Ngram(NgramConfig(order=3), shape=codec.shape)
    feed = RowFeed(codec.encode(rows), shape=codec.shape, seed=0, device="cpu", shuffle=False)
    family.fit(feed.all_batches(size=64), rng=torch.Generator())
    return RowSystem(family, codec=codec)


def test_beginnings_are_kept_and_longer_ones_are_likelier_to_be_real():
    made = system(SmilesCodec.fit(SmilesCodecConfig(vocab_size=100), rows=[table(0, 400)]))
    rows = made.sample(50, given=pa.table({"smiles": ["Oc1ccc"] * 25 + [None] * 25}), seed=1)
    texts = rows.column("smiles").to_pylist()
    assert all(text.startswith("Oc1ccc") for text in texts[:25])
    assert len({text[:6] for text in texts[25:]}) > 5
    assert made.sample(50, seed=1).equals(made.sample(50, seed=1))
    real, noise = table(2000, 20), pa.table({"smiles": ["N#S(=C)PBrIF" * 2] * 20})
    assert made.log_prob(real)[0].mean() > made.log_prob(noise)[0].mean() + 20


def test_what_an_ngram_draws_in_selfies_is_a_molecule():
    made = system(SelfiesCodec.fit(SelfiesCodecConfig(vocab_size=100), rows=[table(0, 400)])).sample(100, seed=0)
    faults = [fault for fault in MoleculeModality().validate(made) if fault]
    assert set(faults) <= {"empty", "element", "several-fragments"} and len(faults) < 15


def test_a_gap_is_filled_by_masked_diffusion_and_refused_by_what_goes_left_to_right():
    codec = SmilesCodec.fit(SmilesCodecConfig(vocab_size=60), rows=[table(0, 100)])
    given = pa.table({"smiles": ["CC_O"] * 3})
    with pytest.raises(CapabilityError, match="left to right"):
        system(codec).sample(3, given=given)
    from genwright.families.diffusion_config import DiffusionConfig

    config = DiffusionConfig().resolve(depth=1, shape=codec.shape)
    family = build_family(config, shape=codec.shape, seed=0).eval()
    encoded = codec.encode_given(given)
    known = encoded.known[0].nonzero()[0].tolist()
    made = RowSystem(family, codec=codec)
    texts = made.sample(3, given=given, seed=0)["smiles"].to_pylist()
    assert known in ([0, 1, 3], [0, 1, 2, 4])  # CC may be one token
    assert all(text.startswith("CC") for text in texts)
