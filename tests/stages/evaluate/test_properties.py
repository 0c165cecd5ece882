"""Properties of held-out molecules are predicted from embeddings, claimed beside references, and asked for later."""

import json

import pytest
from rdkit import RDConfig

from genwright.cli.main import main
from genwright.core import CapabilityError, DataError
from genwright.project import Project

SPEC = """
[project]
name = "told"
modality = "molecule"
threads = 1
[data]
max_samples = 1500
[[data.sources]]
path = "{nci}"
format = "smiles"
on_error = "drop"
group = "molecule"
[data.split]
validation = 0.2
test = 0.3
[fit]
[train]
size = "nano"
family = {family}
[train.trainer]
budget = {{ steps = {steps} }}
batch_samples = 32
[evaluate]
num_samples = 10
baseline = "off"
resamples = 100
metrics = {{ fcd = "off" }}
properties = {{ columns = ["{column}"] }}
[release]
policy = "policy.toml"
"""
POLICY = 'name = "any"\n[[gates]]\nmetric = "codec_round_trip"\nmin = 0.0\n'


def project_in(folder, family='"autoregressive"', column="logp", steps=1):
    path = f"{RDConfig.RDDataDir}/NCI/first_5K.smi"
    (folder / "genwright.toml").write_text(SPEC.format(nci=path, family=family, column=column, steps=steps))
    (folder / "policy.toml").write_text(POLICY)
    return Project.find(folder)


@pytest.mark.slow
def test_a_property_is_claimed_and_predicted(tmp_path, capsys):
    (done,) = project_in(tmp_path, steps=40).run()
    found = {(claim.metric, claim.label): claim.estimate for claim in done.claims}
    system, mean = found["property_r2", "logp"], found["property_r2", "logp, reference: mean of train"]
    assert system.low > 0.1 > mean.value and abs(mean.value) < 0.1
    assert found["property_mae", "logp"].value < found["property_mae", "logp, reference: mean of train"].value
    assert 0.8 < found["interval_coverage", "logp"].value <= 1
    assert found["property_r2", "logp, reference: the modality's features"].low > 0.1
    for how in ("by embeddings", "by likeness"):
        assert 0.85 < found["domain_share", how].value <= 1
        sides = [found["property_mae", f"logp, {side} the domain {how}"].n for side in ("inside", "outside")]
        assert sum(sides) == system.n
    with pytest.raises(SystemExit) as stopped:
        main(["predict", "OCC", "C" * 60, "-C", str(tmp_path), "--json"])
    assert stopped.value.code == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["smiles"] == "CCO" and first["logp from"] < first["logp"] < first["logp to"]
    assert {first["domain"], second["domain"]} <= {"inside", "outside"}
    assert first["logp"] < second["logp"]
    with pytest.raises(SystemExit) as stopped:
        main(["predict", "C1CC", "-C", str(tmp_path)])
    assert stopped.value.code == 2 and "'C1CC' is no legal molecule" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"column": "pIC50"}, DataError, r"no column 'pIC50' \(numbers there are: logp, qed, sa, weight\)"),
        ({"column": "smiles"}, DataError, "column 'smiles' holds string"),
        ({"family": '"ngram"'}, CapabilityError, "this family has none"),
    ],
)
def test_what_cannot_be_predicted_is_refused(tmp_path, settings, error, message):
    project = project_in(tmp_path, **settings)
    with pytest.raises(error, match=message):
        project.run(["evaluate"])
    assert not project.ledger.runs(stage="train"), "known before anything is trained"
