"""The model card in the Hugging Face format: every number is a claim, and links to it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from genwright.core.claim import Claim
from genwright.core.stage import Artifact, Context
from genwright.stages.release.config import ReleaseConfig
from genwright.stages.release.gates import text
from genwright.stages.release.parts import parts

TEMPLATES = Path(__file__).parent
TASKS = {
    "text": "text-generation",
    "passage": "text-generation",
    "image": "unconditional-image-generation",
    "document": "question-answering",
}
MEASURING = ("evaluate", "stylise", "index", "answer")  # stages whose claims are of the system


def model_card(config: ReleaseConfig, context: Context, verdict: Mapping[str, Any], /) -> str:
    """The card as Markdown with its YAML front matter."""
    by_stage = _by_stage(context)
    card: str = _template("card.md.j2").render(
        config=config,
        modality=context.modality,
        task=TASKS.get(context.modality, "other"),
        system=context.inputs["system"].digest,
        inputs=context.inputs,
        parts=[(slot, part.digest) for slot, part in (parts(context) | _dataset(context)).items()],
        verdict=verdict,
        stages=by_stage,
        results=[claim for stage in MEASURING for claim in by_stage.get(stage, []) if claim.headline],
        costs=[_cost(stage, run) for stage, run in context.facts["runs"].items()],
        samples=_samples(context),
    )
    return card


def _dataset(context: Context) -> dict[str, Artifact]:
    return {"dataset": context.inputs["dataset"]}


def claims_page(claims: Sequence[Claim], /) -> str:
    """Every claim with its evidence, one anchor each."""
    page: str = _template("claims.md.j2").render(claims=claims)
    return page


def _template(name: str) -> Any:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"estimate": text, "link": _link, "yaml": _yaml, "derivation": _derivation}
    return environment.get_template(name)


def _link(claim: Claim) -> str:
    """The value, linked to the claim's anchor."""
    return f"[{text(claim.estimate)}](claims.md#c-{claim.id[:16]})"


def _yaml(value: object) -> str:
    """A scalar as YAML (JSON strings are YAML)."""
    return json.dumps(value, ensure_ascii=False)


def _derivation(claim: Claim) -> str:
    made = claim.derivation
    columns = ", ".join(f"{role}={column}" for role, column in made.columns.items())
    where = "".join(f", where {key} = {value}" for key, value in made.where.items())
    return f"{made.estimator}({columns}){where}"


def _by_stage(context: Context) -> dict[str, list[Claim]]:
    stages = {run["id"]: stage for stage, run in context.facts["runs"].items()}
    found: dict[str, list[Claim]] = {}
    for claim in context.claims:
        found.setdefault(stages.get(claim.run, "?"), []).append(claim)
    return found


def _cost(stage: str, run: Mapping[str, Any]) -> dict[str, Any]:
    energy = run["cost"]["energy"]
    bounds = f" [{energy['low'] / 3600:.2g}, {energy['high'] / 3600:.2g}]" if "low" in energy else ""
    return {
        "stage": stage,
        "run": run["id"],
        "wall_s": run["cost"]["wall_s"],
        "cpu_s": run["cost"]["cpu_s"],
        "memory_mb": run["cost"]["peak_memory_bytes"] / 1e6,
        "energy_wh": f"{energy['joules'] / 3600:.2g}{bounds}",
        "method": energy["method"],
    }


def _samples(context: Context) -> list[dict[str, str]]:
    if "samples" not in context.inputs:
        return []
    path = context.inputs["samples"].path / "samples.json"
    found: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))["samples"]
    return found[:2]
