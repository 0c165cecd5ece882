"""Metrics that tell good samples from bad, ChemNet as published, and weights that cannot do harm."""

import os
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
import torch

from genwright.core import DataError
from genwright.core.protocols import Candidate
from genwright.measure import derive, read_arrays, read_scores, write_scores
from genwright.modalities.molecule.chemnet import SYMBOLS, ChemNet, features, load_chemnet, one_hot
from genwright.modalities.molecule.config import MoleculeMetricsConfig
from genwright.modalities.molecule.metrics import measure
from genwright.modalities.molecule.properties import properties_of
from genwright.modalities.molecule.sides import side_of

from .nci import table

PIN = "0" * 64


def stored(path):
    """Weights by chance in the layout of the published file; gates of memory stand open, or all would be forgotten."""
    torch.manual_seed(0)
    net = ChemNet()
    with torch.no_grad():
        for layer in (net.lstm1, net.lstm2):
            layer.bias_ih_l0[layer.hidden_size : 2 * layer.hidden_size] += 5.0
    kinds = (("conv1", "Conv1d"), ("conv2", "Conv1d"), ("lstm1", "LSTM"), ("lstm2", "LSTM"))
    torch.save([(kind, (getattr(net, name).state_dict(), {}, {})) for name, kind in kinds], path)
    return str(path)


@pytest.fixture(scope="module")
def claims(tmp_path_factory):
    """(metric, candidate) -> estimate, derived from what was stored; ChemNet has weights of its own."""
    folder = tmp_path_factory.mktemp("scores")
    weights = stored(folder / "weights.pt")
    train, test, floor = table(0, 120), table(2000, 120), table(4000, 60)
    wax = pa.table({"smiles": ["C" * (4 + row % 30) for row in range(40)] + ["C1CC"] * 20})
    for one in (test, floor):
        assert len(one) >= 60
    logp = properties_of(["logp"], side_of("", "", test).mols)["logp"]
    test = test.append_column("logp", pa.array(logp))
    made = [
        Candidate("system", "", test.select(["smiles"]).slice(0, 60)),
        Candidate("floor", "floor", floor.select(["smiles"])),
        Candidate("copy", "copy", train.select(["smiles"]).slice(0, 60)),
        Candidate("baseline", "baseline", wax),
    ]
    config = MoleculeMetricsConfig(
        chemnet=weights, chemnet_sha256=PIN, reference_rows=120, fcd_resamples=3, fragment_rows=60, asked="logp"
    )
    found = measure(made, train=train, test=test, config=config, seed=0)
    write_scores(folder, found.columns, arrays=found.arrays)
    columns, arrays = read_scores(folder), partial(read_arrays, folder)
    return {
        (draft.metric, draft.derivation_of): estimate
        for draft, estimate in (
            (_Named(one), derive(columns, derivation=one.derivation, arrays=arrays)) for one in found.drafts
        )
    }


class _Named:
    def __init__(self, draft):
        self.metric, self.derivation_of = draft.metric, draft.label or "system"


def test_every_claim_has_a_value_and_an_interval_for_every_candidate(claims):
    assert len({metric for metric, _ in claims}) == 13 and len(claims) == 13 * 4
    assert all(one.value is not None for one in claims.values())
    # The system is the held-out molecules themselves, whose scores are all tied, or all above the others.
    without = {name for name, one in claims.items() if one.low is None}
    assert without == {("c2st_auc", "system"), ("membership_auc", "system")}


@pytest.mark.parametrize(
    ("metric", "better"),
    [
        ("internal_diversity", "higher"),
        ("scaffold_similarity", "higher"),
        ("fragment_similarity", "higher"),
        ("logp_distance", "lower"),
        ("qed_distance", "lower"),
        ("weight_distance", "lower"),
        ("c2st_auc", "lower"),
        ("frechet_chemnet_distance", "lower"),
        ("condition_error", "lower"),
    ],
)
def test_waxes_are_worse_than_real_molecules(claims, metric, better):
    wax, floor = claims[metric, "baseline"].value, claims[metric, "floor"].value
    assert wax < floor if better == "higher" else wax > floor


def test_held_out_molecules_themselves_are_recognised_as_such(claims):
    assert claims["nearest_test_similarity", "system"].value == 1.0
    assert claims["scaffold_similarity", "system"].value == pytest.approx(1.0)
    assert claims["logp_distance", "system"].value == 0.0
    assert claims["condition_error", "system"].value == 0.0
    assert claims["membership_auc", "copy"].value > 0.6 > claims["membership_auc", "floor"].value
    assert claims["membership_auc", "system"].value < 0.4
    assert claims["frechet_chemnet_distance", "system"].value < claims["frechet_chemnet_distance", "floor"].value


def test_a_candidate_without_a_legal_molecule_claims_no_values():
    train, test = table(0, 40), table(2000, 40)
    rows = pa.table({"smiles": ["C1CC"] * 20})
    found = measure(
        [Candidate("system", "", rows), Candidate("floor", "floor", table(4000, 20).select(["smiles"]))],
        train=train,
        test=test,
        config=MoleculeMetricsConfig(fcd="off"),
        seed=0,
    )
    estimates = {
        draft.metric: derive(found.columns, derivation=draft.derivation) for draft in found.drafts if not draft.label
    }
    assert estimates["internal_diversity"].value is None and estimates["internal_diversity"].reason
    assert not found.arrays


def test_what_was_asked_must_be_a_column():
    with pytest.raises(DataError, match="'qed', and the dataset has no such column"):
        measure([Candidate("system", "", table(0, 9))], train=table(0, 9), test=table(9, 9), seed=0,
                config=MoleculeMetricsConfig(asked="qed", fcd="off"))  # fmt: skip


def test_one_hot_cuts_symbols_as_the_weights_expect():
    hot = one_hot(["CCl[nH]%", "C" * 500])
    places = hot[0].argmax(0)[:8]
    assert [SYMBOLS[place] for place in places] == ["C", "Cl", "[", "n", "H", "]", "X", "."]
    assert hot[0].sum() == pytest.approx(8 / 35) and hot[0][:, 8:].sum() == 0
    assert hot[1].sum() == pytest.approx(350 / 35) and SYMBOLS[hot[1][:, 349].argmax()] == "."


def test_features_follow_from_the_weights_and_not_from_the_company(tmp_path):
    net = load_chemnet(stored(tmp_path / "w.pt"), sha256=PIN)
    both, one = features(["CCO", "c1ccccc1"], net), features(["c1ccccc1"], net)
    assert both.shape == (2, 512)
    np.testing.assert_allclose(both[1], one[0], atol=1e-6)
    assert np.abs(both[0] - both[1]).max() > 1e-4


class _Harm:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_a_file_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save([("Conv1d", (_Harm(), {}, {}))], tmp_path / "w.pt")
    with pytest.raises(DataError, match="holds no weights of ChemNet"):
        load_chemnet(str(tmp_path / "w.pt"), sha256=PIN)
    assert not (tmp_path / "harm").exists()
