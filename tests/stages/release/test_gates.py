"""Gates: bounds on the bad end, non-inferiority, and policies that came too late."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from genwright.core import SpecError
from genwright.core.claim import Claim, Derivation, Estimate
from genwright.measure import write_scores
from genwright.stages.release.gates import judge, reason
from genwright.stages.release.policy import Policy, read_policy

RATIO = Derivation("ratio", {"numerator": "bits_model", "denominator": "bytes"}, interval="bootstrap", cluster="group")


def claim(value=2.0, low=1.9, high=2.1, **changes):
    estimate = Estimate(value, n=20, method="m", low=low, high=high, level=0.95, reason=changes.pop("reason", None))
    made = Claim("s", "", "bits_per_byte", "1", "bit/byte", estimate, RATIO, "x", "d", "lower", True, run="r1")
    return replace(made, **changes)


def policy(**gate):
    return Policy.parse({"name": "p", "gates": [{"metric": "bits_per_byte", **gate}]}, where="policy.toml")


def context(claims, *, fixed=1, started=5, released=None, scores=None):
    return SimpleNamespace(
        claims=claims,
        facts={
            "fixed": {"seq": fixed},
            "runs": {"evaluate": {"id": "r1", "started_seq": started}},
            "released": released,
        },
        inputs={"scores": SimpleNamespace(path=scores)},
    )


def table(folder, shift):
    write_scores(
        folder,
        {
            "id": [f"d{n}" for n in range(20)],
            "group": [f"g{n}" for n in range(20)],
            "bytes": [1000 + 10 * n for n in range(20)],
            "bits_model": [(2.0 + 0.01 * (n % 3) + shift) * (1000 + 10 * n) for n in range(20)],
        },
    )
    return folder


@pytest.mark.parametrize(
    ("gate", "passed"),
    [
        ({"max": 2.2}, True),
        ({"max": 2.05}, False),
        ({"max": 2.05, "on": "value"}, True),
        ({"min": 1.8}, True),
        ({"min": 1.95}, False),
        ({"min": 1.8, "max": 2.2}, True),
        ({"min": 1.8, "max": 2.05}, False),
    ],
)
def test_a_bound_holds_for_the_end_on_the_bad_side(gate, passed):
    (outcome,) = judge(policy(**gate), context([claim()]))
    assert outcome.passed is passed
    assert (reason([outcome]) == "") is passed


def test_a_claim_that_is_missing_or_not_estimable_fails():
    assert not judge(policy(max=9.0), context([]))[0].passed
    (outcome,) = judge(policy(max=9.0), context([claim(value=None, low=None, high=None, reason="one document")]))
    assert not outcome.passed
    assert "one document" in outcome.found


def test_a_policy_fixed_after_the_measurement_fails_and_says_what_to_do():
    (outcome,) = judge(policy(max=9.0), context([claim()], fixed=7, started=5))
    assert not outcome.passed
    assert "genwright run --again evaluate" in reason([outcome])


@pytest.mark.parametrize(
    ("shift", "margin", "passed"), [(0.0, 0.01, True), (-0.1, 0.0, True), (0.05, 0.1, True), (0.05, 0.01, False)]
)
def test_not_worse_than_the_released_system(tmp_path, shift, margin, passed):
    released = {"scores_path": table(tmp_path / "old", 0.0)}
    made = context([claim()], released=released, scores=table(tmp_path / "new", shift))
    (outcome,) = judge(policy(not_worse_than="released", margin=margin), made)
    assert outcome.passed is passed
    assert outcome.comparison is not None


def test_the_first_release_has_nothing_to_compare_with():
    (outcome,) = judge(policy(not_worse_than="released", margin=0.1), context([claim()]))
    assert outcome.passed
    assert "first release" in outcome.found


def test_systems_without_shared_documents_cannot_be_compared(tmp_path):
    released = {"scores_path": tmp_path / "old"}
    write_scores(tmp_path / "old", {"id": ["other"], "group": ["g"], "bytes": [1], "bits_model": [2.0]})
    made = context([claim()], released=released, scores=table(tmp_path / "new", 0.0))
    (outcome,) = judge(policy(not_worse_than="released", margin=9.0), made)
    assert not outcome.passed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "p"\n[[gates]]\nmetric = "m"\n', "max, min or not_worse_than"),
        ('name = "p"\n[[gates]]\nmetrc = "m"\nmax = 1.0\n', "did you mean 'metric'"),
        ('name = "p"\ngates = []\n', "gates"),
        ("name = ", "not valid TOML"),
        ('name = "p"\n[[gates]]\nmetric = "m"\nmax = 1.0\nnot_worse_than = "released"\n', "stands alone"),
    ],
)
def test_wrong_policies_are_explained(tmp_path, text, message):
    (tmp_path / "policy.toml").write_text(text)
    with pytest.raises(SpecError, match=message):
        read_policy(SimpleNamespace(policy="policy.toml"), tmp_path)


def test_a_policy_outside_the_project_is_refused(tmp_path):
    with pytest.raises(SpecError, match="leads out of the project"):
        read_policy(SimpleNamespace(policy="../policy.toml"), tmp_path)


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ({"label": "system"}, "labels of bits_per_byte are: none"),
        ({"metric": "bits_per_bite"}, "did you mean bits_per_byte?"),
        ({"metric": "frechet_chemnet_distance"}, "switched off"),
    ],
)
def test_a_gate_without_a_claim_says_what_it_could_mean(gate, told):
    (outcome,) = judge(policy(max=1.0, **gate), context([claim()]))
    assert not outcome.passed and outcome.found.startswith("no such claim was made") and told in outcome.found
