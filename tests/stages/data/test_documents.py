"""The data stage over documents: all of them kept in one split, and nothing to train."""

import dataclasses
import json

import mlcroissant
import pytest

from genwright.core import CapabilityError, DataError
from genwright.measure import derive, read_scores
from genwright.modalities.dataset import read_tables
from genwright.modalities.document.modality import documents_of
from genwright.project.spec import load_specs
from genwright.stages.data.config import config_for
from genwright.stages.data.run import run


@pytest.fixture
def prepared(tmp_path, make_context):
    for name, text in {"a": "# A\n\nwords", "b": "# B\n\nother words", "c": "# A\n\nwords", "d": " "}.items():
        (tmp_path / f"{name}.md").write_text(text)
    fields = {"sources": [{"path": "*.md", "name": "notes", "licence": "CC0-1.0"}]}
    config = config_for("document").parse(fields, where="data")
    return run(config, dataclasses.replace(make_context(tmp_path), modality="document"))


def test_documents_go_through_the_stage_whole(prepared):
    folder = prepared.artifacts["dataset"].path
    found = list(documents_of(read_tables(folder, split="train")))
    assert [(one.id, one.title, one.text) for one in found] == [
        ("a.md", "A", "# A\n\nwords"),
        ("b.md", "B", "# B\n\nother words"),
    ]
    assert not [row for split in ("validation", "test") for table in read_tables(folder, split=split) for row in table]


def test_claims_count_what_was_kept_and_dropped(prepared):
    scores = read_scores(prepared.artifacts["data_scores"].path)
    found = {
        (draft.metric, draft.label): derive(scores, derivation=draft.derivation).value for draft in prepared.claims
    }
    assert found == {
        ("samples_kept", ""): 2,
        ("samples", "train"): 2,
        ("samples_dropped", "empty"): 1,
        ("samples_dropped", "exact-duplicate"): 1,
    }


def test_the_sheet_is_croissant(prepared):
    sheet = json.loads((prepared.artifacts["dataset"].path / "datasheet.json").read_bytes())
    assert not mlcroissant.Dataset(jsonld=sheet).metadata.ctx.issues.errors
    assert sheet["license"] == ["CC0-1.0"]


def test_nothing_left_is_an_error(tmp_path, make_context):
    (tmp_path / "a.md").write_text("")
    config = config_for("document").parse({"sources": [{"path": "a.md"}]}, where="data")
    with pytest.raises(DataError, match="empty 1"):
        run(config, dataclasses.replace(make_context(tmp_path), modality="document"))


@pytest.mark.parametrize("section", ["fit", "train", "evaluate"])
def test_nothing_is_trained_on_documents(tmp_path, section):
    spec = tmp_path / "genwright.toml"
    spec.write_text(
        f'[project]\nname = "d"\nmodality = "document"\n[data]\nsources = [{{path = "a.md"}}]\n[{section}]\n'
    )
    with pytest.raises(CapabilityError, match=r"searched, not modelled") as caught:
        load_specs(spec)
    assert "project.modality = 'text'" in caught.value.hint
