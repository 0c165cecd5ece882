"""What a system that answers is compared with: named at once, in memory one after another."""

from types import SimpleNamespace

import pytest

from genwright.core import SpecError
from genwright.families import SamplingConfig
from genwright.stages.evaluate import answers


@pytest.fixture
def context(tmp_path, monkeypatch):
    def folder(name):
        (tmp_path / name).mkdir()
        return tmp_path / name

    loaded = []
    monkeypatch.setattr(answers, "load_system", lambda path, **_: loaded.append(path.name) or path.name)
    slots = ("model", "model:base", "model:adapt", "codec")
    inputs = {slot: SimpleNamespace(digest=f"{at:064x}", path=tmp_path) for at, slot in enumerate(slots)}
    return SimpleNamespace(inputs=inputs, modality="chat", device="cpu", folder=folder, loaded=loaded, facts={})


def config(*against):
    sides = [SimpleNamespace(name=name, model=model, prompt=None) for name, model in against]
    return SimpleNamespace(sampling=SamplingConfig(), against=sides, model=None, draft=None)


def test_others_are_loaded_when_they_are_asked(context, monkeypatch):
    monkeypatch.setattr(answers, "parent", lambda config, context: None)
    found = answers._others(config(("before", "base"), ("tuned", "adapt")), context)
    assert [(name, label) for name, label, _ in found] == [
        ("before", "reference: before"), ("tuned", "reference: tuned")
    ]  # fmt: skip
    assert context.loaded == []
    assert [load() for _, _, load in found] == ["against-before", "against-tuned"]


def test_a_model_that_nothing_makes_is_named_before_anything_is_loaded(context, monkeypatch):
    monkeypatch.setattr(answers, "parent", lambda config, context: None)
    with pytest.raises(SpecError, match=r"'small' asks for the model of \[compress\]"):
        answers._others(config(("before", "base"), ("small", "compress")), context)
    assert context.loaded == []
