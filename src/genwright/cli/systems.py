"""Commands that use a system: generate, serve, export."""

import argparse
import sys
from pathlib import Path

from genwright.cli.output import Output
from genwright.cli.progress import make_progress
from genwright.core.errors import SpecError
from genwright.core.registry import load_reference
from genwright.project import Project

SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def generate(arguments: argparse.Namespace, out: Output) -> int:
    """Continue a prompt, streaming unless told otherwise."""
    project = Project.find(arguments.project)
    digest, _ = project.resolve_system(arguments.system)
    system = project.system(digest)
    prompt = sys.stdin.read() if arguments.prompt == "-" else arguments.prompt
    sampling = {name: value for name in SAMPLING if (value := getattr(arguments, name)) is not None}
    request = {"max_tokens": arguments.max_tokens, "stop": tuple(arguments.stop), "sampling": sampling}
    if out.as_json or arguments.no_stream:
        made = system.generate(
            [system.request(prompt, seed=arguments.seed + number, **request) for number in range(arguments.num)]
        )
        out.table(
            [{"text": prompt + one.text, "finish": one.finish_reason, "tokens": one.num_tokens} for one in made],
            title=f"system {digest[:12]}",
        )
        return 0
    for number in range(arguments.num):
        out.note(f"--- continuation {number + 1} of system {digest[:12]}, seed {arguments.seed + number}")
        out.text(prompt, end="")
        for text in system.stream(system.request(prompt, seed=arguments.seed + number, **request)):
            out.text(text, end="")
        out.text("")
    return 0


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
    """Write a system as a folder that `transformers` loads."""
    folder = Path(arguments.folder)
    if folder.exists() and any(folder.iterdir()):
        raise SpecError(f"{folder} is there already and not empty", hint="choose another folder")
    project = Project.find(arguments.project)
    digest, _ = project.resolve_system(arguments.system)
    project.system(digest).export_hf(folder)
    if out.as_json:
        out.value({"folder": str(folder), "system": digest})
    out.note(f"wrote {folder}; transformers.AutoModelForCausalLM.from_pretrained('{folder}') loads it")
    return 0
