"""Molecules to tokens and back, in both notations."""

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError
from genwright.core.protocols import Encoded
from genwright.modalities.molecule.codec import SelfiesCodec, SmilesCodec
from genwright.modalities.molecule.config import SelfiesCodecConfig, SmilesCodecConfig
from genwright.modalities.molecule.modality import MoleculeModality

from .nci import table

CODECS = [(SmilesCodec, SmilesCodecConfig), (SelfiesCodec, SelfiesCodecConfig)]


@pytest.fixture(scope="module", params=CODECS, ids=["smiles", "selfies"])
def codec(request, tmp_path_factory):
    cls, config = request.param
    rows = table(0, 400)
    folder = tmp_path_factory.mktemp("codec")
    cls.fit(config(vocab_size=150), rows=[rows.slice(0, 150), rows.slice(150)]).save(folder)
    return cls.load(folder)


def keys(rows):
    return MoleculeModality().keys(rows)


def test_molecules_come_back_and_are_shorter(codec):
    rows = table(0, 100)
    encoded = codec.encode(rows)
    assert codec.shape.vocab_size == 152 and encoded.values.shape[1] == codec.shape.context_tokens - 1
    assert keys(codec.decode(encoded)) == keys(rows)
    assert encoded.lengths.mean() < 0.6 * sum(map(len, rows.column("smiles").to_pylist())) / 100


def test_the_same_molecules_give_the_same_codec(codec, tmp_path):
    cls, config = next(pair for pair in CODECS if pair[0] is type(codec))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        cls.fit(config(vocab_size=100), rows=[table(0, 100)]).save(tmp_path / name)
    for file in ("codec.json", "tokenizer.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_an_atom_that_was_never_seen_does_not_come_back_as_another(codec):
    back = codec.decode(codec.encode(pa.table({"smiles": ["C[Te]C"]}))).column("smiles")[0].as_py()
    assert "Te" not in back and back != "CCC"
    if isinstance(codec, SmilesCodec):
        assert MoleculeModality().validate(pa.table({"smiles": [back]})) == ["element"]


def test_what_is_longer_than_any_of_the_train_split_is_cut(codec):
    encoded = codec.encode(pa.table({"smiles": ["CCO" * 400]}))
    assert encoded.lengths.tolist() == [codec.shape.context_tokens - 1]


def test_what_is_given_is_known_and_gaps_are_not(codec):
    given = codec.encode_given(pa.table({"smiles": ["CCO__", None]}))
    whole = codec.encode_given(pa.table({"smiles": ["CCO"]}))
    count = int(whole.lengths[0])
    assert given.lengths.tolist() == [count + 2, 0]
    assert given.known[0].tolist()[: count + 3] == [True] * (count + 1) + [False] * 2
    assert given.known[1].tolist() == [True] + [False] * (given.known.shape[1] - 1)
    with pytest.raises(DataError, match=r"no molecule of the train split has") as strange:
        codec.encode_given(pa.table({"smiles": ["C[Te]C"]}))
    assert strange.value.hint.startswith("try '_'")
    with pytest.raises(DataError, match="has no 'smiles'") as nameless:
        codec.encode_given(pa.table({"logp": [1.0]}))
    assert "smiles" in nameless.value.hint


def test_any_tokens_are_a_molecule_in_selfies(codec):
    if not isinstance(codec, SelfiesCodec):
        pytest.skip("SMILES promise no such thing")
    ids = np.random.default_rng(0).integers(0, codec.shape.vocab_size - 2, size=(200, 12))
    faults = MoleculeModality().validate(codec.decode(Encoded(ids)))
    assert {fault for fault in faults if fault} <= {"empty", "element", "several-fragments"}
    assert sum(fault is None for fault in faults) > 180
