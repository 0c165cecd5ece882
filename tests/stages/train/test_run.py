"""The train stage on a small dataset: a model that loads, the same bytes again, and claims that derive."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genwright.core import Artifact, StageResult
from genwright.core.digest import entries_digest, folder_entries
from genwright.families.store import load_family
from genwright.measure import derive, read_scores
from genwright.modalities.text.bytes import BytesCodec
from genwright.stages.train.config import TrainConfig
from genwright.stages.train.run import run

SETTINGS = {
    "family": {
        "kind": "autoregressive",
        "net": {"kind": "transformer", "d_model": 16, "num_layers": 1, "num_heads": 2},
    },
    "context_tokens": 16,
    "trainer": {"batch_tokens": 64, "budget": {"steps": 6}, "compile": "off", "validation": {"times": 2}},
}


def make_inputs(folder: Path, *, validation: int = 3) -> dict[str, Artifact]:
    dataset, codec = folder / "dataset", folder / "codec"
    dataset.mkdir()
    codec.mkdir()
    for split, count in (("train", 6), ("validation", validation), ("test", 2)):
        texts = [f"{split} document {index}: " + "abc " * 8 for index in range(count)]
        table = pa.table({"id": [str(i) for i in range(count)], "text": pa.array(texts, pa.string())})
        pq.write_table(table, dataset / f"{split}.parquet")
    BytesCodec().save(codec)
    return {
        name: Artifact(name, entries_digest(folder_entries(path)), path)
        for name, path in (("dataset", dataset), ("codec", codec))
    }


def train(make_context: Any, inputs: dict[str, Artifact], **changes: Any) -> StageResult:
    return run(TrainConfig.parse(SETTINGS | changes, where="train"), make_context(inputs=inputs, seed=3))


def digest(result: StageResult, slot: str = "model") -> str:
    return entries_digest(folder_entries(result.artifacts[slot].path))


def test_the_model_loads_and_repeats(make_context: Any, tmp_path: Path) -> None:
    inputs = make_inputs(tmp_path)
    first, second = train(make_context, inputs), train(make_context, inputs)
    assert digest(first) == digest(second)
    family = load_family(first.artifacts["model"].path)
    assert family.shape.vocab_size == BytesCodec().vocab_size
    assert family.shape.context_tokens == 16


def test_claims_derive_from_the_log(make_context: Any, tmp_path: Path) -> None:
    result = train(make_context, make_inputs(tmp_path))
    columns = read_scores(result.artifacts["training_log"].path)
    values = {draft.metric: derive(columns, derivation=draft.derivation).value for draft in result.claims}
    assert values["training_tokens"] == 6 * 64
    assert values["parameters"] == sum(p.numel() for p in load_family(result.artifacts["model"].path).parameters())
    assert values["validation_loss"] == min(loss for loss in columns["validation_loss"] if loss is not None)
    assert values["final_validation_loss"] == columns["validation_loss"][-1]
    assert (values["tokens_per_cpu_second"] or 0) > 0


def test_an_empty_validation_split_is_no_obstacle(make_context: Any, tmp_path: Path) -> None:
    result = train(make_context, make_inputs(tmp_path, validation=0))
    assert "validation_loss" not in {draft.metric for draft in result.claims}


@pytest.mark.parametrize("net", ["lstm", {"kind": "transformer", "d_model": 16, "num_heads": 2, "num_experts": 2}])
def test_other_nets_train(make_context: Any, tmp_path: Path, net: Any) -> None:
    family = {"kind": "autoregressive", "net": net}
    result = train(make_context, make_inputs(tmp_path), family=family, size="nano")
    assert load_family(result.artifacts["model"].path)
