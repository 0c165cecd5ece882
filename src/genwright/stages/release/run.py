"""The release stage: judge, then write manifest, card and checksums. Nothing is released that a gate refuses."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genwright.core.claim import ClaimDraft
from genwright.core.digest import canonical_json, file_digest, folder_entries, json_digest
from genwright.core.stage import Context, Produced, StageResult
from genwright.measure import write_scores
from genwright.stages.release.card import claims_page, model_card
from genwright.stages.release.config import PARTS, ReleaseConfig
from genwright.stages.release.gates import Outcome, judge, reason
from genwright.stages.release.parts import parts
from genwright.stages.release.policy import Policy


def run(config: ReleaseConfig, context: Context, /) -> StageResult:
    """A release folder and a passing verdict, or a failing verdict alone."""
    policy = Policy.model_validate(context.facts["fixed"]["value"])
    outcomes = judge(policy, context)
    verdict = _verdict(policy, outcomes, context)
    artifacts, claims = _comparisons(outcomes, context)
    if verdict["passed"]:
        artifacts["release"] = Produced("release", _write(config, context, verdict))
    return StageResult(artifacts, claims, verdict=verdict)


def _verdict(policy: Policy, outcomes: Sequence[Outcome], context: Context) -> dict[str, Any]:
    return {
        "system": context.inputs["system"].digest,
        "policy": json_digest(context.facts["fixed"]["value"]),
        "policy_name": policy.name,
        "policy_row": context.facts["fixed"]["seq"],
        "passed": all(outcome.passed for outcome in outcomes),
        "reason": reason(outcomes),
        "gates": [outcome.to_json() for outcome in outcomes],
    }


def _comparisons(outcomes: Sequence[Outcome], context: Context) -> tuple[dict[str, Produced], list[ClaimDraft]]:
    artifacts: dict[str, Produced] = {}
    claims = []
    for number, outcome in enumerate(outcomes):
        if outcome.comparison is None:
            continue
        slot = f"comparison_{number}"
        folder = context.folder(slot)
        write_scores(folder, outcome.comparison.columns)
        artifacts[slot] = Produced("scores", folder)
        better = next(claim for claim in context.claims if claim.id == outcome.claim)
        claims.append(
            ClaimDraft(
                subject="system",
                metric=f"{outcome.gate.metric}_minus_released",
                unit=better.unit,
                scores=slot,
                derivation=outcome.comparison.difference,
                data="dataset",
                better="lower" if better.better == "lower" else "higher",
            )
        )
    return artifacts, claims


def _write(config: ReleaseConfig, context: Context, verdict: dict[str, Any]) -> Path:
    folder = context.folder("release")
    manifest = {
        "system": context.inputs["system"].digest,
        "artifacts": _named(context),
        "policy": verdict["policy"],
    }
    (folder / "release.json").write_bytes(canonical_json(manifest))
    (folder / "policy.json").write_bytes(canonical_json(context.facts["fixed"]["value"]))
    shown = {key: value for key, value in verdict.items() if key != "policy_row"}
    (folder / "verdict.json").write_text(json.dumps(shown, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    (folder / "README.md").write_text(model_card(config, context, verdict), encoding="utf-8")
    (folder / "claims.md").write_text(claims_page(context.claims), encoding="utf-8")
    (folder / "SHA256SUMS").write_text(_checksums(context, folder))
    return folder


def _named(context: Context) -> dict[str, str]:
    """The system's parts, and what else the release was given."""
    found = {slot: one for slot, one in context.inputs.items() if slot not in PARTS} | parts(context)
    return {slot: artifact.digest for slot, artifact in sorted(found.items())}


def _checksums(context: Context, folder: Path) -> str:
    """`sha256sum -c` lines, paths relative to the store (`objects/`), then those of the release itself."""
    artifacts = [context.inputs["system"], *parts(context).values()]
    lines = [
        f"{entry.sha256}  ../../{artifact.digest[:2]}/{artifact.digest}/{entry.path}"
        for artifact in artifacts
        for entry in folder_entries(artifact.path)
    ]
    lines += [f"{file_digest(path)}  {path.name}" for path in sorted(folder.iterdir())]
    return "\n".join(lines) + "\n"
