"""Commands that use a system: generate, interpolate, predict, score, serve, export."""

import argparse
import sys
from pathlib import Path
from typing import Any

from genwright.cli.output import Output
from genwright.cli.progress import make_progress
from genwright.core.errors import CapabilityError, SpecError
from genwright.core.registry import load_reference
from genwright.project import Project

MOST_COLUMNS = 12
SIDE_BY_SIDE = 6
SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def generate(arguments: argparse.Namespace, out: Output) -> int:
    """Continue a prompt, or answer it where the system was made of chats, streaming unless told otherwise."""
    project = Project.find(arguments.project)
    digest, _ = project.resolve_system(arguments.system)
    system = project.system(digest)
    if not system.capabilities & {"generate", "sample"}:
        raise CapabilityError(
            f"this system generates nothing of its own (it can: {', '.join(sorted(system.capabilities))})",
            hint="genwright style CONTENT STYLE --system ID draws with a system of [stylise]",
        )
    if "retrieve" in system.capabilities:
        raise CapabilityError(
            f"system {digest[:12]} answers questions from documents", hint="genwright ask QUESTION, or genwright chat"
        )
    if "generate" not in system.capabilities:
        return _samples(system, digest, arguments, out)
    _only_for_samples(arguments)
    said = sys.stdin.read() if arguments.prompt == "-" else arguments.prompt
    answers = system.manifest.modality == "chat"
    prompt, shown = ((("user", said),), "") if answers else (said, said)
    sampling = {name: value for name in SAMPLING if (value := getattr(arguments, name)) is not None}
    request = {"max_tokens": arguments.max_tokens, "stop": tuple(arguments.stop), "sampling": sampling}
    if out.as_json or arguments.no_stream:
        made = system.generate(
            [system.request(prompt, seed=arguments.seed + number, **request) for number in range(arguments.num)]
        )
        out.table(
            [{"text": shown + one.text, "finish": one.finish_reason, "tokens": one.num_tokens} for one in made],
            title=f"system {digest[:12]}",
        )
        return 0
    for number in range(arguments.num):
        out.note(f"--- continuation {number + 1} of system {digest[:12]}, seed {arguments.seed + number}")
        out.text(shown, end="")
        for text in system.stream(system.request(prompt, seed=arguments.seed + number, **request)):
            out.text(text, end="")
        out.text("")
    return 0


def _only_for_samples(arguments: argparse.Namespace) -> None:
    for name in ("out", "given", "condition", "steps"):
        if getattr(arguments, name) is not None:
            raise SpecError(f"--{name} is for systems that make samples; this one continues texts")


def _samples(system: Any, digest: str, arguments: argparse.Namespace, out: Output) -> int:
    """Draw or complete samples, and write them or show them as a table."""
    if arguments.prompt:
        raise SpecError("this system continues no text", hint="say what is known with --given '{\"column\": value}'")
    given, count = _known(arguments.given, arguments.num)
    conditions, asked = _asked(arguments.condition, system.codec, count)
    if given is not None and asked != count:
        raise SpecError(
            f"--given has {count:,} rows and --condition {asked:,}", hint="give one condition, or as many as rows"
        )
    count = asked
    rows = system.sample(
        count,
        seed=arguments.seed,
        given=given,
        conditions=conditions,
        guidance=arguments.guidance,
        steps=arguments.steps,
        temperature=arguments.temperature,
    )
    return _written(rows, system, digest, arguments.out, out)


def _written(rows: Any, system: Any, digest: str, folder: str | None, out: Output) -> int:
    """Samples as a table, or as files in that folder."""
    if folder is None:
        _shown(rows.to_pylist(), out, title=f"system {digest[:12]}")
        return 0
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written = [*system.modality.write(rows, target), system.modality.preview(rows, target / "preview")]
    out.table([{"file": str(path)} for path in written], title=f"{len(rows):,} samples of system {digest[:12]}")
    return 0


def _shown(samples: list[dict[str, Any]], out: Output, *, title: str) -> None:
    """Samples as rows of a table; those of many columns, which no line holds, as columns of one."""
    if out.as_json or not samples or len(samples[0]) <= MOST_COLUMNS:
        out.table(samples, title=title)
        return
    for first in range(0, len(samples), SIDE_BY_SIDE):
        part = samples[first : first + SIDE_BY_SIDE]
        lines = [
            {"column": name, **{f"sample {first + at + 1}": one[name] for at, one in enumerate(part)}}
            for name in part[0]
        ]
        out.table(lines, title=title)


def interpolate(arguments: argparse.Namespace, out: Output) -> int:
    """Samples on the way through the latent from one sample to another."""
    project = Project.find(arguments.project)
    digest, _ = project.resolve_system(arguments.system)
    system = project.system(digest)
    if "sample" not in system.capabilities:
        raise CapabilityError(
            f"this system has no latent (it can: {', '.join(sorted(system.capabilities))})",
            hint="project.modality = 'passage' is for texts that stand for themselves",
        )
    told = load_reference("genwright.systems.told:two_rows", extra="train")
    ends = told(arguments.first, arguments.last, system.modality)
    return _written(system.interpolate(ends, arguments.num), system, digest, arguments.out, out)


def _known(text: str | None, count: int) -> tuple[Any, int]:
    """Rows of what is known: one JSON object for all samples, or a file with a row for each."""
    if text is None:
        return None, count
    found: tuple[Any, int] = load_reference("genwright.systems.told:known_rows", extra="train")(text, count=count)
    return found


def _asked(text: str | None, codec: Any, count: int) -> tuple[Any, int]:
    """Rows of what is asked for, as `_known` reads them."""
    if text is None:
        return None, count
    read = load_reference("genwright.systems.told:asked_rows", extra="train")
    found: tuple[Any, int] = read(text, codec, count=count)
    return found


def predict(arguments: argparse.Namespace, out: Output) -> int:
    """Predict the properties of samples: value, interval, and whether training knew their like."""
    project = Project.find(arguments.project)
    digest, _ = project.resolve_system(arguments.system)
    system = project.system(digest)
    if "predict" not in system.capabilities:
        raise CapabilityError(
            f"this system predicts no properties (it can: {', '.join(sorted(system.capabilities))})",
            hint="name them in [evaluate.properties] columns, and run evaluate",
        )
    rows = load_reference("genwright.systems.told:told_rows", extra="train")(arguments.samples, system.modality)
    asked, found = system.manifest.properties, system.predict(rows)
    lines = [_predicted(found, row, asked.columns) for row in range(len(rows))]
    samples = rows.drop_columns([name for name in (*asked.columns, "group") if name in rows.column_names]).to_pylist()
    _shown(
        [{**sample, **line} for sample, line in zip(samples, lines, strict=True)],
        out,
        title=f"system {digest[:12]}: intervals hold {asked.coverage:.0%} of samples like those of training",
    )
    return 0


def score(arguments: argparse.Namespace, out: Output) -> int:
    """Say how strange samples are to a system, beside held-out ones."""
    project = Project.find(arguments.project)
    digest, _ = project.resolve_system(arguments.system)
    system = project.system(digest)
    runs = project.ledger.runs(stage="evaluate")
    run = next((run for run in runs if digest in run["outputs"].values()), None)
    if "sample" not in system.capabilities or run is None:
        raise CapabilityError(
            f"system {digest[:12]} scores no samples", hint="a system whose samples stand for themselves does"
        )
    rows = load_reference("genwright.systems.told:told_rows", extra="train")(arguments.samples, system.modality)
    dataset = project.checked_path(run["inputs"]["dataset"])
    lines, n = load_reference("genwright.systems.strangeness:judged", extra="train")(system, rows, dataset=dataset)
    samples = rows.drop_columns(["group"] if "group" in rows.column_names else []).to_pylist()
    shown = [{k: v for k, v in one.items() if not isinstance(v, bytes)} for one in samples]
    _shown(
        [{**sample, **line} for sample, line in zip(shown, lines, strict=True)],
        out,
        title=f"system {digest[:12]}: nats per {system.codec.unit}, squared error; p is of {n:,} held-out samples",
    )
    return 0


def _predicted(found: Any, row: int, columns: tuple[str, ...]) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for at, name in enumerate(columns):
        value, width = float(found.values[row, at]), float(found.half_widths[at])
        line |= {name: value, f"{name} from": value - width, f"{name} to": value + width}
    return line | {"domain": "inside" if found.inside[row] else "outside", "distance": float(found.distance[row])}


def serve(arguments: argparse.Namespace, out: Output) -> int:
    """Serve a system until Ctrl-C."""
    project = Project.find(arguments.project)
    settings = load_reference("genwright.serve:ServerSettings", extra="web")(
        host=arguments.host,
        port=arguments.port,
        unreleased=arguments.unreleased,
        api_key_file=Path(arguments.api_key_file) if arguments.api_key_file else None,
        max_concurrency=arguments.max_concurrency,
        max_queue=arguments.max_queue,
    )
    progress = make_progress(as_json=out.as_json)
    load_reference("genwright.serve:serve", extra="web")(
        project, arguments.system, settings=settings, progress=progress
    )
    return 0


def export(arguments: argparse.Namespace, out: Output) -> int:
    """Write a system as a folder that `transformers` loads, or a file that llama.cpp loads."""
    target = Path(arguments.folder)
    if target.is_file() or (target.exists() and any(target.iterdir())):
        raise SpecError(f"{target} is there already and not empty", hint="choose another place")
    project = Project.find(arguments.project)
    digest, _ = project.resolve_system(arguments.system)
    system = project.system(digest)
    if not hasattr(system, f"export_{arguments.format}"):
        raise CapabilityError(
            f"system {digest[:12]} is no language model that could be exported "
            f"(it can: {', '.join(sorted(system.capabilities))})",
            hint="genwright generate --out DIR writes its samples; a release is a folder that can be copied",
        )
    if arguments.format == "gguf":
        target.parent.mkdir(parents=True, exist_ok=True)
        system.export_gguf(target, file_type=arguments.type)
        note = f"wrote {target}; llama.cpp loads it"
    else:
        system.export_hf(target)
        note = f"wrote {target}; transformers.AutoModelForCausalLM.from_pretrained('{target}') loads it"
    if out.as_json:
        out.value({"folder": str(target), "system": digest})
    out.note(note)
    return 0
