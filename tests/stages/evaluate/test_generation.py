"""Samples are measured beside the real continuation of the same opening, at the same length."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from genwright.core import Artifact
from genwright.stages.evaluate.config import EvaluateConfig
from genwright.stages.evaluate.generation import generate_samples


class Parrot:
    """Continues everything with the same eight letters."""

    def request(self, prompt: str, /, *, max_tokens: int, seed: int) -> str:
        return prompt

    def generate(self, requests: list[str], /) -> list[Any]:
        return [SimpleNamespace(text="zyxwzyxw") for _ in requests]


def test_the_real_continuation_follows_the_opening(make_context: Any, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["body of the text"]}), tmp_path / "train.parquet")
    context = make_context(inputs={"dataset": Artifact("dataset", "0" * 64, tmp_path)})
    config = EvaluateConfig.parse({"generation": {"num_samples": 3, "prompt_characters": 12}}, where="evaluate")
    documents = [{"text": "QQQQ\nbody of the text", "group": "a"}, {"text": "QQQQ\nKLMNOPRSTU", "group": "b"}]
    samples = generate_samples(documents, system=Parrot(), config=config, context=context)  # type: ignore[arg-type]
    assert samples.prompts == ["QQQQ\n"] * 3
    assert samples.columns["group"] == ["a", "b", "a"]
    assert samples.columns["longest_copied_characters_real"] == [8, 0, 8]
    assert samples.columns["longest_copied_characters_sample"] == [1, 1, 1]  # an x
    assert samples.columns["distinct_2_sample"] == [None] * 3
