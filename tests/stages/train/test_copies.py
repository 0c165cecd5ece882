"""Training on copies of rows in other forms: training alone sees them, and private training refuses them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genwright.core import Artifact, SpecError
from genwright.core.digest import entries_digest, folder_entries
from genwright.modalities.conditioning import ConditionConfig
from genwright.modalities.music.config import MusicTokensConfig
from genwright.modalities.music.tokens import MusicTokens
from genwright.stages.fit.rows import fit_rows
from genwright.stages.train.config import TrainConfig
from genwright.stages.train.run import run

TRAINER = {"batch_samples": 4, "budget": {"steps": 1}, "compile": "off", "validation": {"times": 1}}
PITCHES = {"soprano": 72, "alto": 65, "tenor": 55, "bass": 43}


def make_inputs(folder: Path) -> dict[str, Artifact]:
    dataset, codec = folder / "dataset", folder / "codec"
    dataset.mkdir()
    codec.mkdir()
    for split, count in (("train", 5), ("validation", 3), ("test", 1)):
        voices = {name: [f"{pitch + row} _" for row in range(count)] for name, pitch in PITCHES.items()}
        names = {"id": [str(row) for row in range(count)], "group": [str(row) for row in range(count)]}
        pq.write_table(pa.table(names | voices), dataset / f"{split}.parquet")
    rows = [pq.read_table(dataset / "train.parquet", columns=list(PITCHES))]
    MusicTokens.fit(MusicTokensConfig(transpose_up_to=1), rows=rows).save(codec)
    return {
        name: Artifact(name, entries_digest(folder_entries(path)), path)
        for name, path in (("dataset", dataset), ("codec", codec))
    }


def settings(**trainer: Any) -> TrainConfig:
    family = {"kind": "autoregressive", "cell_width": 8, "cell_layers": 1}
    return TrainConfig.parse({"family": family, "size": "nano", "trainer": TRAINER | trainer}, where="train")


def test_training_alone_sees_copies(make_context: Any, tmp_path: Path) -> None:
    context = make_context(inputs=make_inputs(tmp_path), seed=3)
    run(settings(), context)
    stored = {split: np.load(context.checkpoints / "rows" / f"{split}.values.npy") for split in ("train", "validation")}
    assert len(np.unique(stored["train"], axis=0)) == 7  # five windows a semitone apart, and one more at either end
    assert {split: len(rows) for split, rows in stored.items()} == {"train": 15, "validation": 3}


def test_private_training_refuses_copies(make_context: Any, tmp_path: Path) -> None:
    privacy = {"noise_multiplier": 1.3, "delta": 1e-3, "seed": 4}
    with pytest.raises(SpecError, match="copies of training rows"):
        run(settings(privacy=privacy), make_context(inputs=make_inputs(tmp_path), seed=3))


def test_a_condition_beside_that_of_copies_is_refused(make_context: Any, tmp_path: Path) -> None:
    config = SimpleNamespace(codec=MusicTokensConfig(transpose_up_to=1), condition=(ConditionConfig(column="group"),))
    with pytest.raises(SpecError, match="how far copies of them were moved"):
        fit_rows(config, make_context(inputs=make_inputs(tmp_path), seed=3))
