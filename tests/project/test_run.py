"""The runner: hits, failures, interruptions, gates, verification, garbage."""

import json
from dataclasses import replace

import pytest

import genwright
from genwright.core import DataError, GateError, Interrupted, SpecError, StorageError
from genwright.project import Project
from genwright.project.compare import Comparison, Cost
from genwright.project.report import write_report


def states(project, **arguments):
    return {step.stage.name: step.state for step in project.plan(**arguments)[0].steps}


def test_a_second_run_is_all_hits(project, toys):
    (first,) = project.run()
    assert toys.CALLS == ["numbers", "double", "judge"]
    (second,) = project.run()
    assert toys.CALLS == ["numbers", "double", "judge"]
    assert [step.run["outputs"] for step in first.steps] == [step.run["outputs"] for step in second.steps]
    assert {step.state for step in second.steps} == {"hit"}


def test_a_later_stage_is_asked_before_the_work_in_between(project, toys, monkeypatch):
    asked = replace(toys.STAGES["release"], inputs=("numbers", "doubled"), ready="toy:ready")
    monkeypatch.setitem(toys.STAGES, "release", asked)
    with pytest.raises(DataError, match="numbers alone are more"):
        project.run(overrides=["release.maximum=5"])
    assert toys.CALLS == ["numbers", "ready"]
    project.run()
    assert toys.CALLS[2:] == ["ready", "double", "judge"]
    project.run()
    assert toys.CALLS[5:] == []


def test_the_package_opens_a_project(project):
    assert [f.variant for f in genwright.open(project.root).run()] == [""]


def test_only_what_depends_on_a_change_runs_again(project, toys):
    project.run()
    project.run(overrides=["double.factor=3"])
    assert toys.CALLS == ["numbers", "double", "judge", "double", "judge"]


def test_the_status_of_a_run_with_other_settings_is_seen_with_them(project):
    settings = ["double.factor=3"]
    project.run(["double"], overrides=settings)
    states = lambda **more: [one["state"] for one in project.status(**more)["stages"]]  # noqa: E731
    assert states(overrides=settings)[:2] == ["hit", "hit"] and states()[:2] == ["hit", "run"]


def test_until_names_the_last_stage(project, toys):
    project.run(["double"])
    assert toys.CALLS == ["numbers", "double"]
    with pytest.raises(SpecError, match=r"no section \[train\]"):
        project.run(["train"])


def test_claims_are_derived_from_stored_scores(project):
    (done,) = project.run()
    (claim,) = done.claims
    assert claim.metric == "mean_value"
    assert claim.estimate.value == 2.0
    assert claim.estimate.low < 2.0 < claim.estimate.high
    assert project.show(claim.id[:10])["metric"] == "mean_value"


def test_a_run_records_what_it_took(project):
    project.run()
    run = project.ledger.runs(stage="numbers")[0]
    assert run["cost"]["energy"]["method"].startswith(("estimate", "measured"))
    assert run["cost"]["peak_memory_bytes"] > 1e6
    assert run["versions"]["genwright"] == genwright.__version__
    assert run["machine"]["cores"] >= 1
    assert run["config"] == {"values": [1.0, 2.0, 3.0], "fail": ""}


@pytest.mark.parametrize(
    ("fail", "error", "message"),
    [
        ("data", DataError, "line 3"),
        ("disk", StorageError, "No space left"),
        ("bug", ZeroDivisionError, "a defect"),
        ("stop", Interrupted, "stopped during numbers"),
    ],
)
def test_a_failure_is_recorded_and_leaves_no_trace_in_the_store(project, fail, error, message):
    with pytest.raises(error, match=message):
        project.run(overrides=[f"numbers.fail={fail}"])
    (run,) = project.ledger.runs()
    assert run["status"] == ("interrupted" if fail == "stop" else "failed")
    assert list(project.ledger.store.digests()) == []
    assert project.verify().problems == ()


def test_a_failure_keeps_earlier_stages(project, toys):
    with pytest.raises(GateError, match=r"12.0 > 5"):
        project.run(overrides=["release.maximum=5"])
    assert states(project) == {"numbers": "hit", "double": "hit", "release": "run"}
    assert project.status()["release"] is None


def test_a_policy_stands_in_the_ledger_before_the_first_stage_starts(project):
    project.run()
    policy = project.ledger.entries.select("kind = 'policy'")[0].seq
    first = project.ledger.entries.select("kind = 'run_started'")[0].seq
    assert policy < first


def test_decisions_are_made_once_per_key(project, toys):
    project.run()
    before = project.ledger.entries.count("decision")
    project.run(again=["double"])
    assert project.ledger.entries.count("decision") == before == 1
    assert toys.CALLS.count("double") == 2


def test_verify_names_a_flipped_byte_and_a_wrong_claim(project):
    (done,) = project.run()
    assert project.verify().problems == ()
    scores = project.ledger.store.path(done.claims[0].scores) / "scores.json"
    scores.chmod(0o600)
    table = scores.read_text()
    scores.write_text(table.replace("3.0", "4.0"))
    problems = project.verify().problems
    assert any("scores.json is not what was stored" in problem for problem in problems)
    assert any("mean_value" in problem for problem in problems)


def test_verify_finds_a_flip_in_every_file_of_the_store(project):
    project.run()
    for path in sorted(project.ledger.store.root.rglob("*.json")):
        clean = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(bytes([clean[0] ^ 1]) + clean[1:])
        assert any(path.name in problem for problem in project.verify().problems), path
        path.write_bytes(clean)


def test_garbage_is_what_neither_plan_nor_release_needs(project):
    project.run(overrides=["double.factor=3"])
    project.run(["double"], overrides=["double.factor=4"])
    project.run()
    garbage = project.garbage()
    assert [kind for _, kind, _ in garbage.artifacts] == ["doubled"]
    assert project.collect(garbage) > 0
    assert project.verify().problems == ()
    assert set(states(project).values()) == {"hit"}
    assert states(project, overrides=["double.factor=4"])["double"] == "run"


def test_variants_are_compared(project):
    (project.root / "genwright.toml").write_text(
        '[project]\nname = "toy"\n[numbers]\n[matrix]\n"numbers.values" = [[1.0, 2.0, 3.0], [2.0, 3.0, 4.5]]\n'
    )
    project.run()
    first, second = project.compare().rows
    assert first.difference is None
    assert second.difference.value == pytest.approx(3.5 / 3) and second.paired


def test_what_does_not_pair_is_compared_by_its_intervals(project, monkeypatch):
    (project.root / "genwright.toml").write_text(
        '[project]\nname = "toy"\n[numbers]\n[matrix]\n"numbers.values" = [[1.0, 2.0, 3.0], [2.0, 3.0, 4.5]]\n'
    )
    project.run()
    monkeypatch.setattr("genwright.measure.pair", lambda *_, **__: None)
    _, second = project.compare().rows
    assert second.difference.value == pytest.approx(3.5 / 3) and not second.paired
    assert "independent" in second.difference.method and 0 < second.p_holm < 1


def test_a_comparison_becomes_a_page(project, tmp_path):
    (project.root / "genwright.toml").write_text(
        '[project]\nname = "toy"\n[numbers]\n[matrix]\n"numbers.values" = [[1.0, 2.0, 3.0], [2.0, 3.0, 4.5]]\n'
    )
    project.run()
    found = project.compare()
    picture, texts = tmp_path / "a", tmp_path / "b"
    for folder, body in ((picture, '{"samples": [], "preview": "p.svg"}'), (texts, '{"samples": [{"text": "<b>"}]}')):
        folder.mkdir()
        (folder / "samples.json").write_text(body)
    (picture / "p.svg").write_text("<svg/>")
    costs = [Cost("one", 1.5, 2.0, "3 J (measured)"), Cost("two", None, None, "not known")]
    page = write_report(
        Comparison(found.rows, costs, {"one": picture, "two": texts}), tmp_path / "c.html", title="A & B"
    )
    text = page.read_text()
    assert "A &amp; B" in text and "&lt;b&gt;" in text and "data:image/svg+xml;base64,PHN2Zy8+" in text
    assert "3 J (measured)" in text and text.count("<circle") == 2
    assert found.costs[0].wall_s is None and found.samples == {}


def test_other_modalities_are_refused_at_planning(project, toys):
    toml = project.root / "genwright.toml"
    toml.write_text(toml.read_text())
    toys.STAGES["numbers"].check  # noqa: B018 (the toy has a check)
    from genwright.core.registry import load_reference

    with pytest.raises(Exception, match="text only"):
        load_reference(toys.STAGES["numbers"].check)({}, "image")


def test_the_project_is_found_from_below(project):
    (project.root / "a" / "b").mkdir(parents=True)
    assert Project.find(project.root / "a" / "b").root == project.root


def test_logs_are_json_lines(project):
    project.run()
    (log,) = (project.ledger.folder / "logs").glob("*.jsonl")
    assert json.loads(log.read_text().splitlines()[0])["step"] == 1
