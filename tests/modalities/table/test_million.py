"""A column of a million categories: read, its frequent texts kept, the others lost as documented."""

import pyarrow as pa
import pytest

from genwright.modalities.table.bins import BinsCodec
from genwright.modalities.table.config import BinsConfig, VectorConfig
from genwright.modalities.table.vector import VectorCodec

pytestmark = pytest.mark.slow
FREQUENT = 50


@pytest.mark.parametrize(
    ("codec", "config"),
    [(BinsCodec, BinsConfig(max_categories=FREQUENT)), (VectorCodec, VectorConfig(max_categories=FREQUENT))],
)
def test_the_frequent_ones_come_back_and_the_others_as_null(codec, config):
    texts = [f"t{number}" for number in range(1_000_000)] + [f"often {n}" for n in range(FREQUENT)] * 3
    made = codec.fit(config, rows=[pa.table({"who": texts})])
    some = pa.table({"who": ["often 7", "t12", "never seen"]})
    assert made.decode(made.encode(some)).column("who").to_pylist() == ["often 7", None, None]
