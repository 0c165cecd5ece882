"""Passages: cutting, codecs with gaps, metrics that tell good from bad."""

import pydoc_data.topics

import numpy as np
import pyarrow as pa
import pytest

from genwright.core import DataError
from genwright.core.protocols import Candidate, ModelledModality, RowCodec
from genwright.measure import derive
from genwright.modalities.passage.codec import GAP, PassageBpe, PassageBytes
from genwright.modalities.passage.config import (
    PassageBpeConfig,
    PassageBytesConfig,
    PassageMetricsConfig,
    PassageSourceConfig,
)
from genwright.modalities.passage.modality import PassageModality, passages_of

TOPICS = sorted(pydoc_data.topics.topics.values(), key=len)[10:40]


def table(first: int, last: int, *, most: int = 120) -> pa.Table:
    rows = [
        (f"{n}:{at}", str(n), text)
        for n in range(first, last)
        for at, text in enumerate(passages_of(TOPICS[n], most=most))
    ]
    ids, groups, texts = zip(*rows, strict=True)
    return pa.table({"id": list(ids), "group": list(groups), "text": list(texts)})


def test_documents_are_cut_at_white_space(tmp_path):
    (tmp_path / "a.txt").write_text("alpha beta gamma\n" + "x" * 40 + "\n\n")
    (tmp_path / "b.bin").write_bytes(b"\0\1")
    source = PassageSourceConfig(path=".", passage_characters=16, on_error="drop", exclude=("*.toml",))
    found = list(PassageModality().read(source, root=tmp_path))
    tables = [one for one in found if isinstance(one, pa.Table)]
    assert len(found) == len(tables) + 1  # the file that is no text is named among the dropped
    texts = pa.concat_tables(tables).column("text").to_pylist()
    assert texts == ["alpha beta gamma", "x" * 16, "x" * 16, "x" * 8]
    assert all(len(text) <= 16 for text in texts)
    assert len(set(pa.concat_tables(tables).column("group").to_pylist())) == 1


@pytest.mark.parametrize(
    ("cls", "config"), [(PassageBpe, PassageBpeConfig(vocab_size=400)), (PassageBytes, PassageBytesConfig())]
)
def test_what_is_encoded_comes_back_and_gaps_are_unknown(cls, config, tmp_path):
    train, test = table(0, 20), table(20, 30)
    cls.fit(config, rows=[train]).save(tmp_path)
    codec = cls.load(tmp_path)
    assert isinstance(codec, RowCodec) and isinstance(PassageModality(), ModelledModality)
    assert codec.decode(codec.encode(train)).column("text").to_pylist() == train.column("text").to_pylist()
    assert codec.units(pa.table({"text": ["abc", "ü"]})).tolist() == [3.0, 2.0]
    assert codec.encode(test).values.shape[1] == codec.shape.context_tokens - 1
    given = codec.encode_given(pa.table({"text": [f"the {GAP}{GAP} of", None]}))
    assert (~given.known[0, 1 : given.lengths[0] + 1]).sum() == 2
    assert given.known[1].sum() == 1  # the begin mark
    with pytest.raises(DataError, match="no 'text'"):
        codec.encode_given(pa.table({"words": ["a"]}))


def test_figures_tell_text_from_noise_and_copies():
    train, test, other = table(0, 12), table(12, 21), table(21, 30)
    rng = np.random.default_rng(0)
    noise = ["".join(rng.permutation(list(text))) for text in test.column("text").to_pylist()]
    candidates = [
        Candidate("system", "", pa.table({"text": noise})),
        Candidate("floor", "floor", other.select(["text"]), other.column("group").to_pylist()),
        Candidate("copy", "copy", train.select(["text"])),
    ]
    config = PassageMetricsConfig(pairs=4000)
    found = PassageModality().measure(candidates, train=train, test=test, config=config, seed=1)
    value = {(d.metric, d.label): derive(found.columns, derivation=d.derivation).value for d in found.drafts}
    assert value["character_pair_distance", ""] > 3 * value["character_pair_distance", "floor"]
    assert value["c2st_auc", ""] > 0.9 and value["c2st_auc", "floor"] < 0.85
    assert value["copied_8gram_share", "copy"] == 1.0 and value["copied_8gram_share", "floor"] < 0.2
    assert value["longest_copied_span", "copy"] > 80 > value["longest_copied_span", ""]
    assert value["distinct_4gram_share", ""] > 0.9


def test_what_is_no_text_is_not_legal():
    rows = pa.table({"text": ["fine", "  ", None, "bro\N{REPLACEMENT CHARACTER}ken"]})
    assert PassageModality().validate(rows) == [None, "empty", "empty", "broken-utf8"]
