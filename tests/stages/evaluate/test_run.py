"""The evaluate stage on a model of seconds: claims that derive, references with exact totals, one document."""

import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genwright.core import Artifact, DataError, Estimate, StageResult
from genwright.core.digest import entries_digest, folder_entries
from genwright.measure import derive, read_scores
from genwright.modalities.text.bytes import BytesCodec
from genwright.stages.evaluate.config import EvaluateConfig
from genwright.stages.evaluate.generation import parses
from genwright.stages.evaluate.run import run
from genwright.stages.train.config import TrainConfig
from genwright.stages.train.run import run as train

LINES = [f"the {animal} number {n} sat on the mat\n" for n in range(30) for animal in ("cat", "dog", "hen")]
SETTINGS: dict[str, Any] = {
    "generation": {"num_samples": 3, "prompt_characters": 30, "max_tokens": 12},
    "references": {"ngram_orders": [2, 3]},
    "resamples": 100,
}
NETS: dict[str, dict[str, Any]] = {
    "transformer": {"kind": "transformer", "d_model": 16, "num_layers": 1, "num_heads": 2},
    "lstm": {"kind": "lstm", "d_model": 16, "num_layers": 1},
}
MADE: dict[tuple[int, str], dict[str, Artifact]] = {}


def make_inputs(folder: Path, make_context: Any, *, num_test: int, net: dict[str, Any]) -> dict[str, Artifact]:
    for name in ("dataset", "codec"):
        (folder / name).mkdir()
    for split, count in (("train", 8), ("validation", 2), ("test", num_test)):
        texts = ["".join(LINES[(7 * n) % 80 : (7 * n) % 80 + 6]) for n in range(count)]
        table = pa.table({"id": [f"{split}{n}" for n in range(count)], "group": [f"g{n // 2}" for n in range(count)]})
        pq.write_table(
            table.append_column("text", pa.array(texts, pa.string())), folder / "dataset" / f"{split}.parquet"
        )
    BytesCodec().save(folder / "codec")
    inputs = {name: _artifact(name, folder / name) for name in ("dataset", "codec")}
    trainer = {"batch_tokens": 64, "budget": {"steps": 4}, "compile": "off", "validation": {"times": 1}}
    config = {"family": {"kind": "autoregressive", "net": net}, "context_tokens": 16, "trainer": trainer}
    model = train(TrainConfig.parse(config, where="train"), make_context(inputs=inputs)).artifacts["model"]
    return {**inputs, "model": _artifact("model", model.path)}


def _artifact(kind: str, path: Path) -> Artifact:
    return Artifact(kind, entries_digest(folder_entries(path)), path)


def evaluate(make_context: Any, inputs: dict[str, Artifact], **changes: Any) -> StageResult:
    config = EvaluateConfig.parse(SETTINGS | changes, where="evaluate")
    return run(config, make_context(inputs=inputs, seed=5))


def estimates(result: StageResult) -> dict[tuple[str, str], Estimate]:
    tables = {slot: read_scores(result.artifacts[slot].path) for slot in ("scores", "generation_scores")}
    return {(d.metric, d.label): derive(tables[d.scores], derivation=d.derivation) for d in result.claims}


@pytest.fixture
def inputs_of(tmp_path_factory: pytest.TempPathFactory, make_context: Any) -> Any:
    """Inputs by number of test documents and net; each kind is trained once for all tests."""

    def make(*, num_test: int = 4, net: str = "transformer") -> dict[str, Artifact]:
        if (num_test, net) not in MADE:
            folder = tmp_path_factory.mktemp("inputs")
            MADE[num_test, net] = make_inputs(folder, make_context, num_test=num_test, net=NETS[net])
        return MADE[num_test, net]

    return make


def test_every_claim_derives_and_the_model_stands_beside_its_references(make_context: Any, inputs_of: Any) -> None:
    inputs = inputs_of()
    result = evaluate(make_context, inputs)
    found = estimates(result)
    assert len(found) == len(result.claims)
    labels = {label for metric, label in found if metric == "bits_per_byte"}
    assert {label.split(",")[0] for label in labels} == {
        "",
        "reference: uniform over bytes",
        "reference: n-gram",
        "reference: xz -9e",
        "reference: xz -9e with the training text in front",
    }
    model, uniform = found["bits_per_byte", ""], found["bits_per_byte", "reference: uniform over bytes"]
    assert uniform.value == 8.0
    assert model.low is not None and model.value is not None and model.low <= model.value
    assert "2 clusters by group" in model.method
    difference = found["bits_per_byte_difference", "system minus uniform over bytes"]
    assert difference.value == pytest.approx(model.value - 8.0)
    assert found["longest_copied_characters_of_all", ""].value is not None


def test_xz_columns_add_up_to_the_size_of_the_archives(make_context: Any, inputs_of: Any) -> None:
    inputs = inputs_of()
    columns = read_scores(evaluate(make_context, inputs).artifacts["scores"].path)
    texts = pq.read_table(inputs["dataset"].path / "test.parquet")["text"].to_pylist()
    packed = lzma.compress("\n".join(texts).encode(), preset=9 | lzma.PRESET_EXTREME)
    assert sum(columns["bits_xz"]) == pytest.approx(8 * len(packed))
    assert sum(columns["bits_xz_with_train"]) < sum(columns["bits_xz"])
    assert columns["bytes"] == [len(text) for text in texts]


def test_it_repeats_to_the_bit(make_context: Any, inputs_of: Any) -> None:
    inputs = inputs_of()
    first, second = evaluate(make_context, inputs), evaluate(make_context, inputs)
    for slot in ("system", "scores", "samples", "generation_scores"):
        assert _artifact(slot, first.artifacts[slot].path).digest == _artifact(slot, second.artifacts[slot].path).digest


def test_one_document_has_values_without_intervals(make_context: Any, inputs_of: Any) -> None:
    result = evaluate(make_context, inputs_of(num_test=1))
    model = estimates(result)["bits_per_byte", ""]
    assert model.value is not None and model.low is None
    assert "2 independent units" in str(model.reason)


def test_an_lstm_without_samples_or_xz(make_context: Any, inputs_of: Any) -> None:
    inputs = inputs_of(net="lstm")
    result = evaluate(
        make_context, inputs, generation={"num_samples": 0}, references={"ngram_orders": [2], "xz": "off"}
    )
    assert {d.metric for d in result.claims} == {
        "bits_per_byte",
        "bits_per_byte_difference",
        "bits_difference_wilcoxon_p",
        "perplexity_per_token",
    }
    assert estimates(result)["perplexity_per_token", ""].value is not None


def test_code_samples_are_parsed(make_context: Any, inputs_of: Any) -> None:
    settings = {"num_samples": 2, "prompt_characters": 30, "max_tokens": 4, "check": "python"}
    found = estimates(evaluate(make_context, inputs_of(), generation=settings))
    assert found["parses_as_python_share", ""].value == 0.0  # English sentences are no Python


def test_an_empty_test_split_is_an_error(make_context: Any, inputs_of: Any) -> None:
    inputs = inputs_of(num_test=0)
    with pytest.raises(DataError, match="test split is empty"):
        evaluate(make_context, inputs)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("x = 1\ndef f(:", True),
        ("def f():\n    return (1 +", False),
        ("def f():\n    return 1\n\nclass", True),
        ("def f(:\n    pass\nx = 1\n", False),
        ("\ud800 = 1\nx", False),
        ("", False),
    ],
)
def test_what_counts_as_parsing(text: str, whole: bool) -> None:
    assert parses(text) is whole
