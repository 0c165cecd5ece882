"""A model that is pruned, adapted and put into fewer bits: each smaller one is measured beside what it was."""

import json

import pytest
from safetensors.torch import load_file

from genwright.project import Project

from ..stages.base.models import write_model

SPEC = """
[project]
name = "smaller"
modality = "chat"
threads = 1

[base]
path = "model"

[data]
[[data.sources]]
path = "chats.jsonl"
[data.split]
validation = 0.2
test = 0.2

[prune]
what = "channels"
share = 0.4
samples = 4
costs = { rounds = 1, streams = [1], tokens = 2 }

[adapt]
method = "full"
objective = { kind = "distil", teacher = "base" }
trainer = { budget = { steps = 4 } }

[compress]
type = "int8"
costs = { rounds = 1, streams = [1, 2], tokens = 2 }

[evaluate]
max_tokens = 4
[[evaluate.against]]
name = "as it came"
model = "base"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, genwright):
    """The finished project: (folder, parsed output)."""
    folder = tmp_path_factory.mktemp("smaller")
    write_model(folder / "model", max_position_embeddings=256, num_hidden_layers=4)
    lines = [{"prompt": f"question {n % 7} of {n}", "completion": f"reply {n % 7}"} for n in range(60)]
    (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (folder / "genwright.toml").write_text(SPEC)
    done = genwright(folder, "run", "--json")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)[0]


def claims(result, metric):
    return {
        (claim["subject"], claim["label"]): claim["estimate"]["value"]
        for claim in result["claims"]
        if claim["metric"] == metric
    }


def outputs(result, stage):
    return next(step["outputs"] for step in result["steps"] if step["stage"] == stage)


def test_each_is_smaller_than_what_it_was_made_of(project):
    _, result = project
    assert [step["stage"] for step in result["steps"]] == ["data", "base", "prune", "adapt", "compress", "evaluate"]
    pruned, packed = outputs(result, "prune")["model"], outputs(result, "compress")["model"]
    sizes = claims(result, "model_bytes")
    assert sizes[pruned, ""] < sizes[pruned, "reference: parent"]
    assert sizes[packed, ""] < 0.35 * sizes[packed, "reference: parent"]
    assert 0.7 < claims(result, "share_of_parameters")[pruned, ""] < 1.0
    speeds = claims(result, "decode_tokens_per_second")
    assert {label for subject, label in speeds if subject == packed} == {
        "1 stream", "2 streams", "reference: parent, 1 stream", "reference: parent, 2 streams",
    }  # fmt: skip
    assert all(value > 0 for value in claims(result, "peak_memory_bytes").values())


def test_it_is_compared_with_the_model_before_and_with_the_first(project):
    _, result = project
    system = outputs(result, "evaluate")["system"]
    ratios = claims(result, "bits_per_byte_ratio")
    assert set(ratios) == {(system, "system over before [compress]"), (system, "system over as it came")}
    assert ratios[system, "system over before [compress]"] == pytest.approx(1.0, abs=0.01)
    assert (system, "system over before [compress]") in claims(result, "chrf_ratio")


def test_the_smaller_model_is_what_answers(project, genwright):
    folder, result = project
    system = outputs(result, "evaluate")["system"]
    done = genwright(folder, "generate", "question 3", "--system", system, "--max-tokens", "4", "--json")
    assert done.returncode == 0, done.stderr
    assert Project.find(folder).ledger.store.path(outputs(result, "compress")["model"]).is_dir()
    assert genwright(folder, "verify").returncode == 0


@pytest.mark.parametrize("what", ["layers", "weights"])
def test_other_parts_can_be_taken_out(project, genwright, what):
    more = ["--set", f"prune.what={what}", "--set", "prune.share=0.5", "--json"]
    done = genwright(project[0], "run", "prune", *more)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)[0]
    pruned = outputs(result, "prune")["model"]
    zeros, left = claims(result, "zero_share")[pruned, ""], claims(result, "share_of_parameters")[pruned, ""]
    assert (zeros < 0.01 and left < 0.85) if what == "layers" else (zeros > 0.2 and left == 1.0)


def test_weights_that_were_taken_out_stay_out(project, genwright):
    more = ["--set", "prune.what=weights", "--set", "prune.share=0.5", "--json"]
    done = genwright(project[0], "run", "adapt", *more)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)[0]
    store = Project.find(project[0]).ledger.store
    before, after = (
        load_file(store.path(outputs(result, stage)["model"]) / "model.safetensors") for stage in ("prune", "adapt")
    )
    matrices = [name for name in before if "layers" in name and before[name].dim() == 2]
    assert all(bool((after[name][before[name] == 0] == 0).all()) for name in matrices)
    assert any(bool((after[name] != before[name]).any()) for name in matrices)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("prune.share=0.01", "prune.share = 0.01 leaves 48 of 48 channels"),
        ("compress.type=q9", "compress.type"),
        ('adapt.objective={kind="distil",teacher="train"}', "no such section"),
    ],
)
def test_wrong_settings_are_named(project, genwright, change, said):
    done = genwright(project[0], "run", "--set", change)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
