"""The command line as a person and a program meet it: exit codes, JSON, streams, colour, help."""

import datetime as dt
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pyarrow as pa
import pytest

from genwright.cli.evidence import estimate_text, use_of
from genwright.cli.life import standing
from genwright.cli.main import COMMANDS, make_parser
from genwright.cli.output import Output, plain
from genwright.cli.systems import _shown, export, score
from genwright.core.claim import Claim, Derivation, Estimate
from genwright.core.errors import CapabilityError, DependencyError, GateError

SPEC = '[project]\nname = "p"\n[data]\n[[data.sources]]\npath = "docs/*.txt"\n[fit]\n'


def call(folder, *words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "genwright", *words],
        cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture
def project(tmp_path):
    (tmp_path / "genwright.toml").write_text(SPEC)
    (tmp_path / "docs").mkdir()
    for number in range(30):
        words = " ".join(f"word{(number * 7919 + k * k * 31) % 5003}" for k in range(60))
        (tmp_path / "docs" / f"{number}.txt").write_text(f"Document {number}. {words}.\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["frobnicate"], 2, "invalid choice"),
        ([], 2, ""),
        (["show", "zzz"], 2, "nothing in the ledger"),
        (["run", "train"], 2, "no section [train]"),
        (["run", "--set", "data.sources=1"], 2, "data.sources"),
        (["run", "--set", "dta.name=x"], 2, "did you mean [data]"),
        (["claims", "--limit", "0"], 2, "must be at least 1"),
        (["serve"], 2, "nothing is released"),
        (["compare", "a"], 2, "nothing in the ledger"),
        (["-C", "/nowhere", "plan"], 2, "no genwright.toml"),
    ],
)
def test_wrong_use_exits_2_with_a_reason_and_no_traceback(project, words, code, message):
    done = call(project, *words)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_errors_are_json_under_json(project):
    done = call(project, "show", "zzz", "--json")
    error = json.loads(done.stderr)["error"]
    assert error["code"] == "spec"
    assert error["hint"]


@pytest.mark.slow
def test_data_goes_to_stdout_and_progress_to_stderr(project):
    done = call(project, "run", "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert [step["stage"] for step in result["steps"]] == ["data", "fit"]
    assert all(json.loads(line) for line in done.stderr.splitlines())
    for words in (["plan"], ["status"], ["claims"], ["verify"], ["gc"], ["doctor"], ["new"]):
        parsed = json.loads(call(project, *words, "--json").stdout)
        assert parsed is not None
    table = call(project, "claims")
    assert "codec_round_trip" in table.stdout
    assert "\x1b[" not in table.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.txt", b"caf\xe9 au lait " * 20, "bad.txt"),
        ("empty.txt", b"", None),
        ("huge.txt", b"x" * 20_000_000, "huge.txt"),
    ],
)
def test_bad_files_are_named_or_dropped(project, name, content, message):
    (project / "docs" / name).write_bytes(content)
    done = call(project, "run", "data")
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if message else 0), done.stderr
    assert message is None or message in done.stderr


@pytest.mark.parametrize("path", ["../*.txt", "docs/link.txt"])
def test_paths_out_of_the_project_are_refused(project, tmp_path_factory, path):
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_text("secret " * 50)
    (project / "docs" / "link.txt").symlink_to(outside)
    done = call(project, "run", "data", "--set", f'data.sources=[{{path = "{path}"}}]')
    assert done.returncode == 2
    assert path.split("/")[-1].removeprefix("*") in done.stderr or "out of" in done.stderr


def test_a_single_document_cannot_be_split(project):
    done = call(project, "run", "data", "--set", 'data.sources=[{path = "docs/1.txt"}]')
    assert done.returncode == 2
    assert "split" in done.stderr


def test_missing_extras_exit_5_with_the_command(capsys):
    error = DependencyError("this needs the Python module 'x'", hint="pip install 'genwright[web]'")
    Output().error(error)
    assert error.exit_code == 5
    assert "pip install 'genwright[web]'" in capsys.readouterr().err
    assert GateError("no").exit_code == 3


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_every_command(shell, tmp_path):
    done = call(tmp_path, "completion", shell)
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_takes_json(name):
    needed = {"show": ["x"], "export": ["x", "y"], "completion": ["bash"], "style": ["x", "y", "--out", "z.png"]}
    needed["restore"] = ["x", "--out", "z.png", "--task", "inpaint"]
    needed |= {"ask": ["x"], "predict": ["x"], "score": ["x"], "interpolate": ["x", "y"], "diff": ["x", "y"]}
    arguments = needed.get(name, [])
    assert make_parser().parse_args([name, *arguments, "--json"]).as_json
    assert COMMANDS[name].help


def test_a_closed_pipe_is_no_error(project):
    command = f"{sys.executable} -m genwright doctor --json | head -c 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=project, capture_output=True, check=False)
    assert b"Traceback" not in done.stderr


def test_a_title_is_not_broken_to_the_width_of_its_table(capsys):
    Output(as_json=False).table([{"a": 1}], title="system 0123456789ab")
    assert capsys.readouterr().out.splitlines()[0].rstrip() == "system 0123456789ab"


def test_what_one_does_with_a_release_is_what_its_system_can():
    def said(modality, *stages):
        spec = SimpleNamespace(project=SimpleNamespace(modality=modality), stages=dict.fromkeys(stages))
        return use_of(SimpleNamespace(specs=lambda: [spec]), "0123456789abcdef", more=" --unreleased")

    assert "genwright generate --system 0123456789ab" in said("image", "data", "train", "evaluate")
    assert "genwright style CONTENT STYLE --system 0123456789ab" in said("image", "data", "fit", "stylise")
    assert said("text", "data", "train").endswith("genwright serve 0123456789ab --unreleased")


def test_samples_of_many_columns_are_shown_side_by_side(capsys):
    samples = [{f"column_{at}": at * 1000 + row for at in range(24)} for row in range(7)]
    _shown(samples, Output(as_json=False), title="system x")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["column_23", *(str(23_000 + row) for row in range(6))] in lines and ["column_23", "23006"] in lines
    _shown(samples, Output(as_json=True), title="system x")
    assert json.loads(capsys.readouterr().out) == samples


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(None, n=1, method="t", reason="one document"), "not estimable: one document"),
        (Estimate(465123.0, n=2, method="sum"), "465,123"),
        (Estimate(2.0, n=9, method="b", low=1.5, high=2.25, level=0.95), "2 [1.5, 2.25]"),
    ],
)
def test_estimates_as_text(estimate, text):
    assert estimate_text(estimate) == text


def difference(label, low, high):
    estimate = Estimate((low + high) / 2, n=9, method="b", low=low, high=high, level=0.95)
    made = Derivation("ratio_difference", {})
    return Claim("s", f"system minus {label}", "x_difference", "1", "1", estimate, made, "x", None, "lower", True)


def test_where_a_system_stands_is_said_by_the_intervals():
    claims = [difference("a", -2.0, -1.0), difference("b", -1.0, 1.0), difference("c", 1.0, 2.0)]
    assert standing(claims) == ["the system is ahead of: a", "the system is level with: b", "the system is behind: c"]


def test_dates_and_times_are_json():
    cells = {"day": dt.date(2024, 5, 31), "at": dt.time(14, 30), "seen": dt.datetime(2024, 5, 31, 14, 30)}
    assert json.loads(json.dumps(plain([cells]))) == [
        {"day": "2024-05-31", "at": "14:30:00", "seen": "2024-05-31T14:30:00"}
    ]


def test_scores_of_samples_of_many_columns_stand_below_these(capsys, monkeypatch):
    rows = pa.table({f"column_{at}": [at, at + 1] for at in range(24)})
    made = SimpleNamespace(
        resolve_system=lambda _: ("ab" * 32, None),
        system=lambda _: SimpleNamespace(capabilities={"sample"}, modality=None, codec=SimpleNamespace(unit="row")),
        ledger=SimpleNamespace(runs=lambda **_: [{"outputs": {"system": "ab" * 32}, "inputs": {"dataset": "d"}}]),
        checked_path=lambda _: None,
    )
    found = {"told_rows": lambda *_: rows, "judged": lambda *_, **__: ([{"surprise": 1.5}, {"surprise": 2.5}], 9)}
    monkeypatch.setattr("genwright.cli.systems.Project.find", lambda _: made)
    monkeypatch.setattr("genwright.cli.systems.load_reference", lambda name, **_: found[name.partition(":")[2]])
    assert score(SimpleNamespace(project=".", system=None, samples=["x.csv"]), Output(as_json=False)) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["column_23", "23", "24"] in lines and ["surprise", "1.5", "2.5"] in lines


@pytest.mark.parametrize("kind", ["hf", "gguf"])
def test_what_is_no_language_model_is_not_exported(kind, tmp_path, monkeypatch):
    made = SimpleNamespace(
        resolve_system=lambda _: ("ab" * 32, None), system=lambda _: SimpleNamespace(capabilities={"sample"})
    )
    monkeypatch.setattr("genwright.cli.systems.Project.find", lambda _: made)
    told = SimpleNamespace(folder=str(tmp_path / "out"), project=".", system=None, format=kind, type="f16")
    with pytest.raises(CapabilityError, match=r"no language model that could be exported \(it can: sample\)"):
        export(told, Output(as_json=False))
    assert not (tmp_path / "out").exists()
