"""Checkpoints: whole or not there, two kept, damage found and passed over."""

from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from genwright.core import StorageError
from genwright.core.protocols import TokenShape
from genwright.families import AutoregressiveConfig, store
from genwright.trainer import checkpoint
from genwright.trainer.checkpoint import Saved, load_checkpoint, save_checkpoint


def save(folder: Path, step: int) -> Path:
    return save_checkpoint(folder, step=step, saved=Saved({"w": torch.full((50,), float(step))}, {"step": step}))


def load(folder: Path) -> tuple[int | None, list[str]]:
    said: list[str] = []
    saved = load_checkpoint(folder, say=said.append)
    if saved is None:
        return None, said
    assert float(saved.tensors["w"][0]) == saved.state["step"]
    return int(saved.state["step"]), said


def test_the_newest_of_two_is_loaded(tmp_path: Path) -> None:
    for step in (5, 10, 100):
        save(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-10", "step-100"]
    assert load(tmp_path) == (100, [])


def test_nothing_there(tmp_path: Path) -> None:
    assert load(tmp_path / "missing") == (None, [])


@pytest.mark.parametrize("name", ["state.safetensors", "state.json"])
@pytest.mark.parametrize("harm", ["truncate", "flip", "remove"])
def test_damage_goes_back_to_the_one_before(tmp_path: Path, name: str, harm: str) -> None:
    save(tmp_path, 5)
    path = save(tmp_path, 10) / name
    data = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    else:
        data[-3] ^= 1
        path.write_bytes(data[: len(data) // 2] if harm == "truncate" else data)
    step, said = load(tmp_path)
    assert step == 5
    assert "step-10 is damaged" in said[0]


def test_all_damaged_starts_over(tmp_path: Path) -> None:
    (save(tmp_path, 5) / "state.json").write_text("{}")
    step, said = load(tmp_path)
    assert step is None
    assert len(said) == 1


@pytest.mark.parametrize("error", [OSError, SafetensorError])
def test_a_full_disk_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    save(tmp_path, 5)

    def full(*_: object, **__: object) -> None:
        raise error(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(StorageError, match="No space left"):
        save(tmp_path, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["step-5"]
    assert load(tmp_path) == (5, [])


def test_an_unfinished_write_is_not_seen(tmp_path: Path) -> None:
    save(tmp_path, 5)
    (tmp_path / ".writing-10").mkdir()
    assert load(tmp_path) == (5, [])


def test_a_model_that_does_not_fit_on_the_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device")

    monkeypatch.setattr(store, "save_file", refuse)
    config, shape = AutoregressiveConfig(), TokenShape(8, 0, 1, 4)
    with pytest.raises(StorageError, match=r"the model could not be written: .*No space left"):
        store.save_family(tmp_path, config=config, shape=shape, tensors={}, facts={})
