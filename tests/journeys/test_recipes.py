"""Every recipe from files to a release, in miniature."""

import hashlib
import json
import re
from pathlib import Path

import mlcroissant
import pyarrow.parquet as pq
import pytest

from genwright.project import Project
from genwright.project.recipes import recipes

pytestmark = pytest.mark.slow


OWN_JOURNEY = {"style-transfer"}  # other stages: see test_style.py


@pytest.fixture(scope="session", params=sorted(set(recipes()) - OWN_JOURNEY))
def released(request, miniature, genwright, tmp_path_factory):
    """A finished miniature: (folder, parsed output, recipe)."""
    folder = miniature(request.param, tmp_path_factory.mktemp("journey") / request.param)
    done = genwright(folder, "run", "--json", *genwright.arguments(request.param))
    if "cannot be downloaded" in done.stderr:
        pytest.skip(f"no package registry: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)[0], request.param


def made(result, slot):
    """The digest of what the run made for that slot."""
    return next(step["outputs"][slot] for step in reversed(result["steps"]) if slot in step["outputs"])


def answers_questions(result):
    """Whether the system answers from documents."""
    return any(step["stage"] == "answer" for step in result["steps"])


def test_all_stages_ran_and_claimed(released, genwright):
    _, result, recipe = released
    stages = genwright.facts(recipe).get("stages", ["data", "fit", "train", "evaluate", "release"])
    assert [step["stage"] for step in result["steps"]] == stages
    assert {claim["metric"] for claim in result["claims"]} >= set(genwright.facts(recipe)["claims"])


def test_every_figure_of_samples_stands_beside_its_references(released):
    _, result, _ = released
    for metric in ("legal_share", "modes_reached"):
        labels = {claim["label"] for claim in result["claims"] if claim["metric"] == metric}
        if not labels:
            pytest.skip("the recipe makes texts")
        assert {"", "reference: other real samples", "reference: train samples drawn again"} <= labels
        assert any(label.startswith("baseline: ") for label in labels)


def test_a_second_run_hits_everything(released, genwright):
    folder, result, recipe = released
    again = json.loads(genwright(folder, "run", "--json", *genwright.arguments(recipe)).stdout)[0]
    assert {step["state"] for step in again["steps"]} == {"hit"}
    assert [step["outputs"] for step in again["steps"]] == [step["outputs"] for step in result["steps"]]


def test_everything_verifies(released, genwright):
    folder, _, _ = released
    done = genwright(folder, "verify", "--json")
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["problems"] == []
    assert found["claims"] > 25


def test_the_data_sheet_is_valid_and_finds_every_row(released):
    folder, result, _ = released
    dataset = Project.find(folder).ledger.store.path(made(result, "dataset"))
    sheet = mlcroissant.Dataset(jsonld=str(dataset / "datasheet.json"))
    assert not sheet.metadata.ctx.issues.errors
    for split in ("train", "validation", "test"):
        found = sum(1 for _ in sheet.records(record_set=split))
        assert found == pq.read_metadata(dataset / f"{split}.parquet").num_rows


def test_the_card_links_every_number_to_a_claim(released):
    folder, result, _ = released
    release = Project.find(folder).ledger.store.path(made(result, "release"))
    card, claims = (release / "README.md").read_text(), (release / "claims.md").read_text()
    links = re.findall(r"\(claims\.md#(c-[0-9a-f]+)\)", card)
    assert len(links) > 8
    assert all(f'<a id="{link}"></a>' in claims for link in links)
    known = {f"c-{claim['id'][:16]}" for claim in result["claims"]}
    assert set(links) <= known


def test_the_checksums_of_a_release_hold(released):
    folder, result, _ = released
    release = Project.find(folder).ledger.store.path(made(result, "release"))
    lines = (release / "SHA256SUMS").read_text().splitlines()
    assert len(lines) >= 7
    for line in lines:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((release / name).resolve().read_bytes()).hexdigest() == digest, name


def test_the_released_system_generates_the_same_twice(released, genwright, tmp_path):
    folder, result, _ = released
    if answers_questions(result):
        first, second = (json.loads(genwright(folder, "ask", "what is assert for?", "--json").stdout) for _ in range(2))
        assert all(one.pop("seconds", None) is not None for one in (first, second))
        assert first == second
        return
    words = ["generate", "--num", "3", "--seed", "3"]
    if any(claim["metric"] == "bits_per_byte" for claim in result["claims"]):
        words = ["generate", "The ", "--max-tokens", "12", "--seed", "3", "--no-stream"]
        first, second = (json.loads(genwright(folder, *words, "--json").stdout) for _ in range(2))
        assert first == second
        assert first[0]["text"].startswith("The ")
        assert genwright(folder, *words[:-1]).stdout.rstrip("\n") == first[0]["text"].rstrip("\n")
        return
    for name in ("one", "two"):
        done = genwright(folder, *words, "--out", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).rglob("*")} for name in ("one", "two"))
    assert one == two and len(one) >= 2
    assert any(name.startswith("preview") for name in one)


def test_the_export_loads_in_transformers_with_equal_logits(released, genwright, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, result, _ = released
    if not any(claim["metric"] == "bits_per_byte" for claim in result["claims"]):
        pytest.skip("the recipe makes no texts")
    system = made(result, "system")
    assert genwright(folder, "export", system[:12], str(tmp_path / "hf")).returncode == 0
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    ours = Project.find(folder).system(system)
    ours = getattr(ours, "twin", ours)  # of a model that llama.cpp runs, the same weights in the net of this house
    text = "def f(x):\n    return x\n"
    ids = torch.tensor([ours.encode_prompt(text)])
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids[0, 1:].tolist()
    with torch.no_grad():
        theirs = model(ids).logits.log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
    from genwright.core.protocols import Tokens

    own = ours.family.token_log_prob(Tokens(ids)).detach()[0]
    torch.testing.assert_close(own, theirs, rtol=1e-4, atol=1e-4)


def test_one_byte_of_the_model_changed_and_it_is_not_served(released, genwright):
    folder, result, _ = released
    asked = ["ask", "what is assert for?"] if answers_questions(result) else ["generate"]
    stored = Project.find(folder).ledger.store.path(made(result, "index" if answers_questions(result) else "model"))
    model = next(path for path in stored.iterdir() if path.suffix in (".safetensors", ".gguf", ".sqlite"))
    clean = model.read_bytes()
    model.chmod(0o600)
    try:
        model.write_bytes(clean[:-1] + bytes([clean[-1] ^ 1]))
        done = genwright(folder, *asked)
        assert done.returncode == 1
        assert f"{model.name} is not what was stored" in done.stderr
        assert model.name in genwright(folder, "verify").stdout
    finally:
        model.write_bytes(clean)


def test_recipes_are_complete():
    for name, folder in recipes().items():
        for file in ("genwright.toml", "policy.toml", "README.md", "miniature.toml"):
            assert (Path(folder) / file).is_file(), f"recipe {name} lacks {file}"
