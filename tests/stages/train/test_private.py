"""Private training as a stage: the claim, what the model's folder tells, and what planning refuses."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genwright.core import Artifact, CapabilityError, SpecError, StageResult, component
from genwright.core.digest import entries_digest, folder_entries
from genwright.measure import derive, read_scores
from genwright.modalities.table.bins import BinsCodec
from genwright.modalities.table.config import BinsConfig
from genwright.stages.fit.config import FitConfig
from genwright.stages.train.config import TrainConfig
from genwright.stages.train.run import run
from genwright.stages.train.shape import check

PRIVACY = {"noise_multiplier": 1.3, "delta": 1e-3, "seed": 4}
TRAINER = {"batch_samples": 16, "budget": {"steps": 10}, "compile": "off", "validation": {"times": 2}}


def make_inputs(folder: Path) -> dict[str, Artifact]:
    dataset, codec = folder / "dataset", folder / "codec"
    dataset.mkdir()
    codec.mkdir()
    for split, count in (("train", 90), ("validation", 12), ("test", 9)):
        columns = {"a": [n % 5 for n in range(count)], "b": ["xyz"[n % 3] for n in range(count)]}
        names = {"id": [str(n) for n in range(count)], "group": [str(n // 3) for n in range(count)]}
        pq.write_table(pa.table(names | columns), dataset / f"{split}.parquet")
    BinsCodec.fit(BinsConfig(), rows=[pq.read_table(dataset / "train.parquet")]).save(codec)
    return {
        name: Artifact(name, entries_digest(folder_entries(path)), path)
        for name, path in (("dataset", dataset), ("codec", codec))
    }


def train(make_context: Any, inputs: dict[str, Artifact], **privacy: Any) -> StageResult:
    settings = {"size": "nano", "trainer": TRAINER | {"privacy": PRIVACY | privacy}}
    return run(TrainConfig.parse(settings, where="train"), make_context(inputs=inputs, seed=3))


def epsilon(result: StageResult) -> tuple[float, str]:
    (draft,) = [draft for draft in result.claims if draft.metric == "epsilon"]
    value = derive(read_scores(result.artifacts["training_log"].path), derivation=draft.derivation).value
    assert value is not None
    return value, draft.unit


@pytest.mark.parametrize(("unit", "num_units"), [("group", 30), ("row", 90)])
def test_epsilon_is_of_the_steps_that_were_made(make_context: Any, tmp_path: Path, unit: str, num_units: int) -> None:
    from opacus.accountants import RDPAccountant

    result = train(make_context, make_inputs(tmp_path), unit=unit)
    value, said = epsilon(result)
    accountant = RDPAccountant()
    accountant.history = [(1.3, 16 / num_units, 10)]
    assert value == accountant.get_epsilon(delta=1e-3)
    assert said == f"delta 0.001 per {unit}, training only"


def test_neither_model_nor_log_tells_a_loss_on_the_train_split_or_the_seed(make_context: Any, tmp_path: Path) -> None:
    result = train(make_context, make_inputs(tmp_path))
    facts = json.loads((result.artifacts["model"].path / "config.json").read_text())["training"]
    assert [line[1] for line in facts["loss_curve"]] == [None] * len(facts["loss_curve"])
    assert facts["privacy"]["noise_multiplier"] == 1.3 and "seed" not in facts["privacy"]
    assert set(read_scores(result.artifacts["training_log"].path)["train_loss"]) == {None}


def test_the_target_is_kept(make_context: Any, tmp_path: Path) -> None:
    value, _ = epsilon(train(make_context, make_inputs(tmp_path), noise_multiplier=None, epsilon=2.0))
    assert 1.9 < value <= 2.0


def test_a_delta_that_publishes_a_unit_is_refused(make_context: Any, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="30 groups"):
        train(make_context, make_inputs(tmp_path), delta=0.05)


def planned(codec: str, modality: str, **family: Any) -> None:
    config = component("codecs", codec).config.parse({"kind": codec}, where="codec")
    trainer = {"privacy": {"epsilon": 3.0}}
    train_config = TrainConfig.parse({"family": family, "trainer": trainer}, where="train")
    check({"train": train_config, "fit": FitConfig(codec=config)}, modality)


@pytest.mark.parametrize(
    ("codec", "family"),
    [
        ("table-bins", {"kind": "autoregressive"}),
        ("table-bins", {"kind": "vae"}),
        ("table-bins", {"kind": "diffusion"}),
        ("table-vector", {"kind": "diffusion"}),
        ("image-grid", {"kind": "diffusion"}),
        ("molecule-smiles", {"kind": "autoregressive", "net": "lstm"}),
    ],
)
def test_families_that_can(codec: str, family: dict[str, Any]) -> None:
    planned(codec, codec.partition("-")[0], **family)


@pytest.mark.parametrize(
    ("codec", "family", "why"),
    [
        ("table-vector", {"kind": "gan"}, "critic"),
        ("table-vector", {"kind": "vae"}, "observation noise"),
        ("table-bins", {"kind": "latent"}, "each row alone"),
        ("table-bins", {"kind": "latent-class"}, "each row alone"),
        ("molecule-smiles", {"kind": "autoregressive", "net": {"kind": "transformer", "num_experts": 2}}, "experts"),
    ],
)
def test_planning_refuses_the_others_and_names_those_that_can(codec: str, family: dict[str, Any], why: str) -> None:
    with pytest.raises(CapabilityError, match=why) as refused:
        planned(codec, codec.partition("-")[0], **family)
    assert "autoregressive, diffusion, vae" in str(refused.value.hint)


def test_a_stream_of_text_has_no_units() -> None:
    with pytest.raises(CapabilityError, match="stand for themselves"):
        planned("bpe", "text", kind="autoregressive")
