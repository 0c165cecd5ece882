"""A model that answers, from a folder of weights to a release: asked plainly, by a searched prompt, beside others."""

import json
from collections import Counter

import pytest

from genwright.measure import read_scores
from genwright.project import Project

from ..stages.base.models import write_model

SPEC = """
[project]
name = "answers"
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

[prompt]
patterns = ["zero-shot", {kind = "few-shot", shots_tried = [1, 2]}, "chain-of-thought"]
instruction = "Say it."
questions = 8
max_tokens = 6

[evaluate]
max_tokens = 6
[evaluate.metrics]
baselines = ["nearest-answer", "name"]
[[evaluate.against]]
name = "persona"
model = "base"
prompt = { kind = "persona", instruction = "Say it." }

[release]
policy = "policy.toml"
title = "Answers"
summary = "A toy."
license = "mit"
intended_use = "Tests."
out_of_scope = "All else."
limitations = "Random weights."
"""
POLICY = 'name = "toy"\n[[gates]]\nmetric = "chrf"\nmin = 0.0\n'


@pytest.fixture(scope="module")
def project(tmp_path_factory, genwright):
    """The finished project: (folder, parsed output)."""
    folder = tmp_path_factory.mktemp("answers")
    write_model(folder / "model", max_position_embeddings=512)
    lines = [{"prompt": f"question {n % 7} of {n}", "completion": f"reply {n % 7}"} for n in range(60)]
    (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (folder / "genwright.toml").write_text(SPEC)
    (folder / "policy.toml").write_text(POLICY)
    done = genwright(folder, "run", "--json")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)[0]


def claims(result, metric):
    return {claim["label"]: claim for claim in result["claims"] if claim["metric"] == metric}


def test_the_system_is_measured_beside_all_others(project):
    _, result = project
    assert [step["stage"] for step in result["steps"]] == ["data", "base", "prompt", "evaluate", "release"]
    others = {"reference: plain, as asked", "reference: persona", "baseline: nearest-answer", "baseline: name"}
    assert set(claims(result, "chrf")) == {"", *others}
    assert claims(result, "chrf")["baseline: nearest-answer"]["estimate"]["value"] > 0.8
    tests = claims(result, "chrf_difference_holm_p")
    assert len(tests) == 4 and all("Holm over 4 tests" in one["estimate"]["method"] for one in tests.values())
    assert set(claims(result, "bits_per_byte")) >= {"reference: plain, as asked", "reference: persona"}


def test_the_search_asks_fewer_as_it_goes_on_and_says_what_was_chosen(project):
    folder, result = project
    store = Project.find(folder).ledger.store
    digest = next(step["outputs"]["prompt_scores"] for step in result["steps"] if step["stage"] == "prompt")
    asked = sorted(Counter(read_scores(store.path(digest))["prompt"]).values())
    assert asked == [2, 2, 4, 8]
    chosen = [label for label in claims(result, "development_chrf") if label.startswith("chosen, best of 4")]
    assert len(chosen) == 1


def test_the_prompt_is_part_of_the_system_and_answers_a_chat(project, genwright):
    folder, result = project
    outputs = {slot: digest for step in result["steps"] for slot, digest in step["outputs"].items()}
    found = Project.find(folder)
    manifest = json.loads((found.ledger.store.path(outputs["system"]) / "manifest.json").read_text())
    assert manifest["prompt"] == outputs["prompt"]
    done = genwright(folder, "generate", "question 3", "--max-tokens", "6", "--json")
    assert done.returncode == 0, done.stderr
    system = found.system(outputs["system"])
    wanted = system.generate([system.request((("user", "question 3"),), max_tokens=6)])[0]
    assert json.loads(done.stdout)[0]["text"] == wanted.text


def test_another_prompt_is_another_system(project, genwright):
    folder, result = project
    more = ["--set", "prompt.instruction=Tell me.", "--json"]
    again = json.loads(genwright(folder, "run", *more).stdout)[0]
    states = {step["stage"]: step["state"] for step in again["steps"]}
    assert states["base"] == "hit" and states["prompt"] != "hit"
    digests = [[s["outputs"].get("system") for s in r["steps"] if "system" in s["outputs"]] for r in (result, again)]
    assert digests[0] != digests[1]
    prompts = [next(s["outputs"]["prompt"] for s in r["steps"] if "prompt" in s["outputs"]) for r in (result, again)]
    shown = genwright(folder, "diff", prompts[0][:12], prompts[1][:12]).stdout
    assert '-  "instruction": "Say it.",' in shown and '+  "instruction": "Tell me.",' in shown
    assert genwright(folder, "diff", prompts[0], prompts[0]).stdout == "no difference\n"
    assert genwright(folder, "diff", prompts[0], result["steps"][0]["run"]).returncode == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("prompt.patterns=[]", "prompt.patterns"),
        ('prompt.patterns=["no-such"]', "no prompts entry 'no-such'"),
        ("evaluate.against.0.model=adapt", "no such section"),
        ("evaluate.against.0.name=system", "is taken"),
        ("prompt.temperatures=[-1.0]", "temperature"),
    ],
)
def test_wrong_settings_are_named(project, genwright, change, said):
    done = genwright(project[0], "run", "--set", change)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
