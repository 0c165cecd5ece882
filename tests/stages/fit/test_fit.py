"""The fit stage: on train only, and what it claims."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genwright.core import Artifact, DataError, SpecError
from genwright.core.digest import entries_digest, folder_entries
from genwright.measure import derive, read_scores
from genwright.modalities.codec import load_codec
from genwright.stages.fit.config import FitConfig
from genwright.stages.fit.run import run


@pytest.fixture
def dataset(tmp_path):
    """A dataset whose held-out words never occur in train."""
    texts = {
        "train": ["the cat sat on the mat"] * 50,
        "validation": ["the cat, a zebra"] * 3,
        "test": ["zebra zebra zebra", "é"],
    }
    for split, own in texts.items():
        ids = [f"{split}{n}" for n in range(len(own))]
        pq.write_table(pa.table({"id": ids, "text": own, "group": ids}), tmp_path / f"{split}.parquet")
    return Artifact("dataset", "d", tmp_path)


def fit(dataset, make_context, **fields):
    config = FitConfig.parse(fields, where="fit")
    return run(config, make_context(inputs={"dataset": dataset}))


def test_fitted_on_train_alone(dataset, make_context):
    result = fit(dataset, make_context, codec={"kind": "bpe", "vocab_size": 300})
    codec = load_codec(result.artifacts["codec"].path)
    pieces = {codec.token_bytes(token) for token in range(codec.vocab_size)}
    assert b"cat" in pieces and b"ze" not in pieces


@pytest.mark.parametrize("kind", ["bpe", "bytes"])
def test_claims(dataset, make_context, kind):
    result = fit(dataset, make_context, codec=kind)
    columns = read_scores(result.artifacts["codec_scores"].path)
    found = {draft.metric: derive(columns, derivation=draft.derivation) for draft in result.claims}
    assert found["codec_round_trip"].value == 1 and found["codec_round_trip"].n == 5
    assert 0 < found["codec_round_trip"].low < 1
    expected = len({*b"the cat sat on the mat"}) if kind == "bytes" else None
    assert found["vocabulary_used_tokens"].value == (expected or found["vocabulary_used_tokens"].value) > 0
    assert (found["bytes_per_token"].value == 1) == (kind == "bytes")


def test_same_bytes_again(dataset, make_context):
    results = [fit(dataset, make_context) for _ in range(2)]
    first, second = ([entries_digest(folder_entries(made.path)) for made in r.artifacts.values()] for r in results)
    assert first == second


def test_empty_train(dataset, make_context):
    path = dataset.path / "train.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    with pytest.raises(DataError, match="train split has no documents"):
        fit(dataset, make_context)


def test_a_corrupt_dataset_is_named(dataset, make_context):
    (dataset.path / "test.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"test\.parquet cannot be read"):
        fit(dataset, make_context)


def test_unknown_codec_is_refused_at_planning():
    with pytest.raises(SpecError, match=r"did you mean 'bytes'"):
        FitConfig.parse({"codec": {"kind": "byts"}}, where="fit")
