"""Judging: each gate against its claim, and whether the gate was fixed before the claim was measured."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genwright.core.claim import Claim, Derivation, Estimate
from genwright.core.stage import Context
from genwright.measure import Paired, derive, pair, read_scores
from genwright.stages.release.policy import Gate, Policy


@dataclass(frozen=True)
class Outcome:
    """What a gate found. `claim` is empty where the claim is made by this very release (differences)."""

    gate: Gate
    asks: str
    passed: bool
    found: str
    claim: str = ""
    late_stage: str = ""
    comparison: Paired | None = None

    def to_json(self) -> dict[str, Any]:
        """The row a verdict keeps."""
        return {
            "asks": self.asks,
            "passed": self.passed,
            "found": self.found,
            "claim": self.claim,
            "fixed_before_measurement": not self.late_stage,
        }


def judge(policy: Policy, context: Context, /) -> list[Outcome]:
    """One outcome per gate, in order."""
    newest = {(claim.metric, claim.label): claim for claim in context.claims}
    return [_judge(gate, newest, context) for gate in policy.gates]


def _judge(gate: Gate, newest: Mapping[tuple[str, str], Claim], context: Context) -> Outcome:
    name, claim = gate.metric + (f" ({gate.label})" if gate.label else ""), newest.get((gate.metric, gate.label))
    if claim is None:
        return Outcome(gate, _asks(gate, name), passed=False, found=f"no such claim was made{_instead(gate, newest)}")
    late = _late_stage(claim, context)
    if gate.not_worse_than:
        return _not_worse(gate, claim, context, asks=_asks(gate, name), late=late)
    passed, found = _bounded(gate, claim.estimate)
    found += f"; measured by stage {late} before this policy was fixed" if late else ""
    return Outcome(gate, _asks(gate, name), passed and not late, found, claim.id, late)


def _instead(gate: Gate, newest: Mapping[tuple[str, str], Claim]) -> str:
    """What a gate could mean that names no claim: the labels of its metric, or metrics called nearly so."""
    labels = [label or "none" for metric, label in newest if metric == gate.metric]
    if labels:
        return f"; labels of {gate.metric} are: {', '.join(labels)}"
    near = difflib.get_close_matches(gate.metric, {metric for metric, _ in newest}, n=1)
    return f"; did you mean {near[0]}?" if near else "; it may be switched off in [evaluate.metrics]"


def _asks(gate: Gate, name: str) -> str:
    if gate.not_worse_than:
        return f"{name} not worse than the released system by more than {gate.margin:g}"
    parts = [f"at most {gate.max:g}"] if gate.max is not None else []
    parts += [f"at least {gate.min:g}"] if gate.min is not None else []
    return f"{name} {' and '.join(parts)} ({'interval' if gate.on == 'bound' else 'value'})"


def _bounded(gate: Gate, estimate: Estimate) -> tuple[bool, str]:
    if estimate.value is None:
        return False, f"not estimable: {estimate.reason}"
    low = high = estimate.value
    if gate.on == "bound" and estimate.low is not None and estimate.high is not None:
        low, high = estimate.low, estimate.high
    above = gate.max is not None and high > gate.max
    below = gate.min is not None and low < gate.min
    return not (above or below), text(estimate)


def text(estimate: Estimate, /) -> str:
    """`2.1 [2.0, 2.2]`."""
    if estimate.value is None:
        return f"not estimable: {estimate.reason}"
    interval = f" [{estimate.low:.4g}, {estimate.high:.4g}]" if estimate.low is not None else ""
    return f"{estimate.value:.4g}{interval}"


def _not_worse(gate: Gate, claim: Claim, context: Context, *, asks: str, late: str) -> Outcome:
    """Non-inferiority: the whole paired interval of new minus released lies on the good side of the margin."""
    released: Mapping[str, Any] | None = context.facts.get("released")
    if released is None:
        return Outcome(gate, asks, passed=True, found="first release: nothing to compare with", claim=claim.id)
    if claim.better == "neither":
        return Outcome(gate, asks, passed=False, found=f"{claim.metric} has no better direction", claim=claim.id)
    new, old = read_scores(context.inputs["scores"].path), read_scores(released["scores_path"])
    derivation: Derivation = claim.derivation
    paired = pair(new, derivation, old=old, old_derivation=derivation)
    if paired is None:
        return Outcome(gate, asks, passed=False, found="the two systems share no test documents", claim=claim.id)
    difference = derive(paired.columns, derivation=paired.difference)
    passed, found = _inferior(claim, difference, gate.margin)
    found += f"; measured by stage {late} before this policy was fixed" if late else ""
    return Outcome(gate, asks, passed and not late, found, claim.id, late, comparison=paired)


def _inferior(claim: Claim, difference: Estimate, margin: float) -> tuple[bool, str]:
    if difference.low is None or difference.high is None:
        return False, f"no interval of the difference: {difference.reason or 'too few test documents'}"
    bad_end = difference.high if claim.better == "lower" else -difference.low
    return bad_end <= margin, f"difference {text(difference)}"


def _late_stage(claim: Claim, context: Context) -> str:
    """The stage that measured this claim before the policy stood in the ledger, or nothing."""
    for stage, run in context.facts["runs"].items():
        if run["id"] == claim.run and run["started_seq"] < context.facts["fixed"]["seq"]:
            return str(stage)
    return ""


def reason(outcomes: Sequence[Outcome], /) -> str:
    """Why a release is refused, and what to do; empty where it is not."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    lines = [f"gate failed: {outcome.asks}; found {outcome.found}" for outcome in failed]
    late = sorted({outcome.late_stage for outcome in failed if outcome.late_stage})
    if late:
        lines.append("measure again under the fixed policy: genwright run " + " ".join(f"--again {s}" for s in late))
    return "\n".join(lines)
