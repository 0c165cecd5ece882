"""A model with a small one that drafts for it, from its making to its release: what is served is what it says alone."""

import json

import pytest

from genwright.measure import read_scores
from genwright.project import Project
from genwright.serve.parity import serving
from genwright.systems import read_manifest

from ..stages.base.models import write_model

SPEC = """
[project]
name = "drafts"
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
what = "layers"
share = 0.3
samples = 4
costs = { rounds = 1, streams = [1], tokens = 2 }

[adapt]
method = "full"
objective = { kind = "distil", teacher = "base" }
trainer = { budget = { steps = 8 } }

[evaluate]
model = "base"
draft = "adapt"
max_tokens = 8
[[evaluate.against]]
name = "the draft alone"
model = "adapt"

[parity]
num_prompts = 2
max_tokens = 8

[release]
title = "Hurried"
summary = "A toy."
license = "mit"
intended_use = "Tests."
out_of_scope = "All else."
limitations = "Random weights."
"""
POLICY = """
name = "toy"
[[gates]]
metric = "draft_answers_equal"
min = 1.0
[[gates]]
metric = "served_answers_equal"
min = 1.0
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, genwright):
    """The finished project: (folder, parsed output)."""
    folder = tmp_path_factory.mktemp("drafts")
    write_model(folder / "model", max_position_embeddings=256, num_hidden_layers=4)
    lines = [{"prompt": f"question {n % 7} of {n}", "completion": f"reply {n % 7}"} for n in range(60)]
    (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (folder / "genwright.toml").write_text(SPEC)
    (folder / "policy.toml").write_text(POLICY)
    done = genwright(folder, "run", "--json")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)[0]


def outputs(result, stage):
    return next(step["outputs"] for step in result["steps"] if step["stage"] == stage)


def claims(result, metric):
    return {claim["label"]: claim["estimate"] for claim in result["claims"] if claim["metric"] == metric}


def test_the_first_model_answers_and_the_last_one_drafts(project):
    folder, result = project
    path = Project.find(folder).ledger.store.path(outputs(result, "evaluate")["system"])
    manifest = read_manifest(path)
    assert manifest.model == outputs(result, "base")["model"]
    assert manifest.draft == outputs(result, "adapt")["model"]
    assert set(claims(result, "bits_per_byte")) == {"", "reference: the draft alone"}  # the base has no parent


def test_what_the_draft_is_worth_is_claimed_with_intervals(project):
    folder, result = project
    accepted = claims(result, "draft_accepted")[""]
    assert 0.0 < accepted["low"] <= accepted["value"] <= accepted["high"] <= 1.0
    assert claims(result, "draft_answers_equal")[""]["value"] == 1.0
    speeds = claims(result, "decode_tokens_per_cpu_second")
    assert {"with the draft", "without the draft"} <= set(speeds)
    ratio = speeds["with the draft"]["value"] / speeds["without the draft"]["value"]
    assert claims(result, "draft_speedup")[""]["value"] == pytest.approx(ratio)
    table = read_scores(Project.find(folder).ledger.store.path(outputs(result, "evaluate")["draft_scores"]))
    assert sum(table["accepted"]) / sum(table["guessed"]) == pytest.approx(accepted["value"])


def test_served_answers_are_those_without_the_draft(project):
    folder, result = project
    store = Project.find(folder).ledger.store
    from genwright.systems import load_system

    system = load_system(store.path(outputs(result, "evaluate")["system"]), locate=store.path)
    questions = [(("user", f"question {number}"),) for number in range(3)]
    plain = load_system(store.path(outputs(result, "evaluate")["system"]), locate=store.path)
    plain.draft = None
    asked = [plain.request(one, max_tokens=12, sampling={"temperature": 0.0}) for one in questions]
    expected = [one.text for one in plain.generate(asked)]
    with serving(system) as ask:
        assert [ask(one, 12)["text"] for one in questions] == expected
    assert claims(result, "served_answers_equal")[""]["value"] == 1.0


def test_the_release_names_both_models(project):
    folder, result = project
    place = Project.find(folder).ledger.store.path(outputs(result, "release")["release"])
    base, draft, pruned = (outputs(result, stage)["model"] for stage in ("base", "adapt", "prune"))
    named = json.loads((place / "release.json").read_text())["artifacts"]
    assert (named["model"], named["draft"]) == (base, draft)
    assert not any(slot.startswith("model:") for slot in named)
    sums, card = (place / "SHA256SUMS").read_text(), (place / "README.md").read_text()
    for text in (sums, card):
        assert base in text and draft in text and pruned not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["evaluate.draft=base"], "both that of [base]"),
        (["evaluate.draft=compress"], "no such section"),
        (["evaluate.model=train"], "no such section"),
        (["base.keep=gguf", "base.path=model.gguf"], "base.keep = 'weights'"),
        (['compress={type="q4_0"}', "evaluate.draft=compress"], "compress.type = 'int8'"),
        (['prompt={patterns=["zero-shot"]}'], "leave out [prompt]"),
    ],
)
def test_wrong_pairs_are_named_at_planning(project, genwright, changes, said):
    more = [part for change in changes for part in ("--set", change)]
    done = genwright(project[0], "plan", *more)
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())
