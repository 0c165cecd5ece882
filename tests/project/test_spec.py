"""What a project file may say, and what is said back when it is wrong."""

import pytest

from genwright.core import SpecError
from genwright.project.spec import load_specs


def write(folder, text):
    path = folder / "genwright.toml"
    path.write_text(text)
    return path


HEAD = '[project]\nname = "p"\n'


def test_defaults_are_filled_in(toys, tmp_path):
    (spec,) = load_specs(write(tmp_path, HEAD + "[numbers]\n"))
    assert spec.resolved()["numbers"] == {"values": [1.0, 2.0, 3.0], "fail": ""}
    assert spec.variant == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "[numbrs]\n", r"unknown section \[numbrs\]; did you mean \[numbers\]"),
        (HEAD + "[double]\nfactr = 1.0\n", r"double\.factr: unknown key; did you mean 'factor'"),
        (HEAD + "[double]\nfactor = -1.0\n", r"double\.factor: Input should be greater than 0 \(got -1.0\)"),
        ("[project]\n[numbers]\n", r"project\.name: missing"),
        (HEAD, "no stage section"),
        ("x = [", "not valid TOML"),
        (HEAD + "numbers = 3\n[project.x]\n", "project"),
        ('[project]\nname = "p"\nmodality = "smell"\n[numbers]\n', "modality 'smell' is not known"),
        (HEAD + "[numbers]\n[matrix]\nseed = 3\n", "matrix.seed must be a list"),
    ],
)
def test_wrong_files_are_explained(toys, tmp_path, text, message):
    with pytest.raises(SpecError, match=message):
        load_specs(write(tmp_path, text))


def test_overrides_win_and_are_checked(toys, tmp_path):
    path = write(tmp_path, HEAD + "[double]\nfactor = 1.0\n[numbers]\n")
    (spec,) = load_specs(path, overrides=["double.factor=5", "project.seed=7"])
    assert spec.stages["double"].factor == 5.0
    assert spec.project.seed == 7
    with pytest.raises(SpecError, match="--set takes KEY=VALUE"):
        load_specs(path, overrides=["double.factor"])


def test_matrix_makes_named_variants(toys, tmp_path):
    text = HEAD + '[numbers]\n[double]\n[matrix]\n"double.factor" = [1.0, 2.0]\n"project.seed" = [1, 2]\n'
    specs = load_specs(write(tmp_path, text))
    assert [spec.variant for spec in specs] == [f"factor={f},seed={s}" for f in (1.0, 2.0) for s in (1, 2)]
    assert len({spec.digest for spec in specs}) == 4


def test_values_of_one_kind_are_named_by_their_other_settings(tmp_path):
    body = HEAD + '[data]\n[[data.sources]]\npath = "x"\nlicence = "none"\n[fit]\n[train]\n[matrix]\n'
    lstm = '{ kind = "autoregressive", net = { kind = "lstm" } }'
    specs = load_specs(write(tmp_path, f'{body}"train.family" = ["autoregressive", {lstm}]\n'))
    assert [spec.variant for spec in specs] == ["family=autoregressive", "family=autoregressive+net:lstm"]
    with pytest.raises(SpecError, match="same name: family=autoregressive, family=autoregressive"):
        load_specs(write(tmp_path, f'{body}"train.family" = ["autoregressive", "autoregressive"]\n'))


def test_a_fault_in_a_list_is_told_once(tmp_path):
    body = '[project]\nname = "p"\n[data]\n[[data.sources]]\npath = "x"\nsha256 = "00"\n'
    with pytest.raises(SpecError, match=r"sources\.0\.sha256: String should match") as raised:
        load_specs(write(tmp_path, body))
    assert "at least 1 item" not in raised.value.message
