"""The command line: parse, call the project, render. Heavy modules load only in the command that needs them."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

DESCRIPTION = "Genwright: the whole life of a generative system, every number a claim it can re-derive."
EPILOG = """exit codes: 0 done, 1 failed, 2 wrong use, 3 gate failed, 5 missing extra, 130 interrupted
start with: genwright new python-prose DIR, then genwright run in DIR"""


class Command(NamedTuple):
    """A subcommand: its help, its arguments, and where its function is."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    function: str


def _new(p: argparse.ArgumentParser) -> None:
    p.add_argument("recipe", metavar="RECIPE", nargs="?", help="a shipped recipe or a folder; without it, the list")
    p.add_argument("folder", metavar="DIR", nargs="?", help="the folder to make")


def _overrides(p: argparse.ArgumentParser) -> None:
    p.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a setting, like train.size=nano; may be repeated",
    )


def _run(p: argparse.ArgumentParser) -> None:
    p.add_argument("stages", nargs="*", metavar="STAGE", help="stages to reach (default: all)")
    p.add_argument("--again", action="append", default=[], metavar="STAGE", help="run this stage although it is a hit")
    _overrides(p)


def _plan(p: argparse.ArgumentParser) -> None:
    p.add_argument("stages", nargs="*", metavar="STAGE", help="stages to reach (default: all)")
    _overrides(p)


def _id(p: argparse.ArgumentParser) -> None:
    p.add_argument("id", metavar="ID", help="the start of a run, artifact, claim, verdict or policy id")


def _two_ids(p: argparse.ArgumentParser) -> None:
    for name in ("a", "b"):
        p.add_argument(name, metavar=name.upper(), help="the start of an artifact's id")


def _claims(p: argparse.ArgumentParser) -> None:
    p.add_argument("--metric", help="only this metric")
    p.add_argument("--run", help="only claims of this run (start of its id)")
    p.add_argument("--all", action="store_true", dest="everything", help="minor claims too")
    p.add_argument("--limit", type=_positive, default=100, help="the newest N (default 100)")
    p.add_argument("--before", type=_positive, help="only rows before this place in the ledger (for paging)")


def _compare(p: argparse.ArgumentParser) -> None:
    p.add_argument("sides", nargs="*", metavar="A B", help="variants, runs or systems; without them, the matrix")
    p.add_argument("--out", metavar="FILE.html", help="a page with plots of the intervals and samples of every side")
    _overrides(p)


def _sampling(p: argparse.ArgumentParser) -> None:
    p.add_argument("--max-tokens", type=_positive, default=200)
    p.add_argument("--temperature", type=float, default=None, help="0 is greedy (default: the system's)")
    p.add_argument("--top-k", type=_positive, default=None)
    p.add_argument("--top-p", type=float, default=None)
    p.add_argument("--min-p", type=float, default=None)
    p.add_argument("--repetition-penalty", type=float, default=None)
    p.add_argument("--stop", action="append", default=[], metavar="TEXT", help="stop before this text; may be repeated")
    p.add_argument("--seed", type=int, default=0)


def _generate(p: argparse.ArgumentParser) -> None:
    p.add_argument("prompt", nargs="?", default="", metavar="PROMPT", help="text to continue; - reads stdin")
    p.add_argument("--system", metavar="ID", help="a release or system (default: the newest release)")
    p.add_argument("--num", type=_positive, default=1, help="how many continuations")
    p.add_argument("--no-stream", action="store_true", help="print only when done")
    p.add_argument("--out", metavar="DIR", help="write samples there (systems that make rows, pictures, pieces)")
    p.add_argument("--given", metavar="JSON", help="what is known of each sample, or 'FILE.csv': the rest is filled in")
    p.add_argument("--condition", metavar="JSON", help='what samples are conditioned on, such as \'{"label": "bag"}\'')
    p.add_argument("--guidance", type=float, help="above 1 exaggerates the condition (default: the system's)")
    p.add_argument("--steps", type=_positive, help="sampling steps, where the family takes them")
    _sampling(p)


def _filter(p: argparse.ArgumentParser) -> None:
    p.add_argument("--system", metavar="ID", help="a release or system (default: the newest release)")
    p.add_argument(
        "--filter",
        dest="filters",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="only documents whose source, document, title or path (any heading) is that; may be repeated",
    )


def _ask(p: argparse.ArgumentParser) -> None:
    p.add_argument("question", metavar="QUESTION", help="what is asked; - reads stdin")
    p.add_argument("--no-stream", action="store_true", help="print only when done")
    _filter(p)


def _chat(p: argparse.ArgumentParser) -> None:
    _filter(p)
    p.add_argument("--max-tokens", type=_positive, default=256, help="of an answer, where a model writes it freely")
    p.add_argument("--temperature", type=float, default=None, help="0 is greedy (default: the system's)")
    p.add_argument("--seed", type=int, default=0)


def _style(p: argparse.ArgumentParser) -> None:
    p.add_argument("content", metavar="CONTENT", help="the picture whose content is kept (PNG, JPEG)")
    p.add_argument("style", metavar="STYLE", help="the picture whose look it gets")
    p.add_argument("--out", metavar="FILE.png", required=True, help="where the result goes")
    p.add_argument("--method", choices=("arbitrary", "gatys"), help="one pass of a net (default), or optimised pixels")
    p.add_argument("--system", metavar="ID", help="a release or system of [stylise], instead of the published nets")
    p.add_argument("--strength", type=float, help="from 0, the content's own style, to 1 (default)")
    p.add_argument("--size", type=_positive, help="pixels of the longer side (default: as the pictures are)")
    p.add_argument("--steps", type=_positive, help="of the optimisation (default 100)")
    p.add_argument("--seed", type=int, default=0, help="of the optimisation's start")


def _restore(p: argparse.ArgumentParser) -> None:
    p.add_argument("image", metavar="IMAGE", help="the picture (PNG, JPEG; for inpaint a PNG with transparency)")
    p.add_argument("--out", metavar="FILE.png", required=True, help="where the result goes")
    p.add_argument("--task", choices=("denoise", "upscale", "inpaint"), required=True)
    p.add_argument("--noise", type=float, help="denoise: its standard deviation, as part of the range of levels")
    p.add_argument("--scale", type=int, choices=(2, 4), default=2, help="upscale: how often larger (default 2)")
    p.add_argument("--system", metavar="ID", help="a release or system (default: the newest release)")
    p.add_argument("--condition", metavar="JSON", help='what the picture shows, such as \'{"label": "bag"}\'')
    p.add_argument("--guidance", type=float, default=1.0, help="above 1 exaggerates the condition")
    p.add_argument("--steps", type=_positive, help="sampling steps (denoise: 1, the expected picture)")
    p.add_argument("--seed", type=int, default=0)


def _predict(p: argparse.ArgumentParser) -> None:
    p.add_argument("samples", metavar="SAMPLE", nargs="+", help="SMILES, JSON objects, or one file as [data] reads it")
    p.add_argument("--system", metavar="ID", help="a release or system (default: the newest release)")


def _interpolate(p: argparse.ArgumentParser) -> None:
    p.add_argument("first", metavar="FIRST", help="SMILES, a JSON object, or a file that holds one sample")
    p.add_argument("last", metavar="LAST", help="the same")
    p.add_argument("--num", type=_positive, default=7, help="samples, both ends included")
    p.add_argument("--system", metavar="ID", help="a release or system (default: the newest release)")
    p.add_argument("--out", metavar="DIR", help="write files here")


def _serve(p: argparse.ArgumentParser) -> None:
    p.add_argument("system", nargs="?", metavar="ID", help="a release or system (default: the newest release)")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=8000)
    p.add_argument("--unreleased", action="store_true", help="serve although no policy has passed it")
    p.add_argument("--api-key-file", metavar="FILE", help="one key per line; needed for hosts other than loopback")
    p.add_argument("--max-concurrency", type=_positive, default=8, help="requests that share a batch")
    p.add_argument("--max-queue", type=_positive, default=64, help="requests that may wait; more get 429")


def _gc(p: argparse.ArgumentParser) -> None:
    p.add_argument("--yes", action="store_true", help="free it; without this, only say what would go")


def _export(p: argparse.ArgumentParser) -> None:
    p.add_argument("system", metavar="ID", help="a release or system")
    p.add_argument("folder", metavar="PATH", help="the Hugging Face folder, or the GGUF file, to make")
    p.add_argument("--format", choices=("hf", "gguf"), default="hf", help="what to write (default: %(default)s)")
    p.add_argument(
        "--type", default="f16", help="of a GGUF file: f32, bf16, f16, q8_0, q4_k_m, q4_0... (default: %(default)s)"
    )


def _completion(p: argparse.ArgumentParser) -> None:
    p.add_argument("shell", choices=("bash", "zsh", "tcsh"))


def _none(p: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


HERE = "genwright.cli."
COMMANDS = {
    "new": Command("make a project from a recipe", _new, HERE + "life:new"),
    "run": Command("run the stages of the project", _run, HERE + "life:run"),
    "plan": Command("show what a run would do", _plan, HERE + "life:plan"),
    "status": Command("show stages, releases and costs", _overrides, HERE + "evidence:status"),
    "show": Command("show one run, artifact, claim, verdict or policy", _id, HERE + "evidence:show"),
    "diff": Command("show how one artifact differs from another", _two_ids, HERE + "evidence:diff"),
    "claims": Command("list claims", _claims, HERE + "evidence:claims"),
    "compare": Command("compare variants, runs or systems, paired", _compare, HERE + "evidence:compare"),
    "generate": Command("generate with a released system", _generate, HERE + "systems:generate"),
    "ask": Command("answer a question from documents, with its sources", _ask, HERE + "talk:ask"),
    "chat": Command("talk with a system in the terminal", _chat, HERE + "talk:chat"),
    "interpolate": Command(
        "go through the latent from one sample to another", _interpolate, HERE + "systems:interpolate"
    ),
    "predict": Command("predict properties of samples, with intervals", _predict, HERE + "systems:predict"),
    "score": Command("say how strange samples are, beside held-out ones", _predict, HERE + "systems:score"),
    "style": Command("draw a picture in the style of another one", _style, HERE + "pictures:style"),
    "restore": Command("denoise, enlarge or complete a picture", _restore, HERE + "pictures:restore"),
    "serve": Command(
        "serve a released system over the OpenAI API, and a page to talk with it", _serve, HERE + "systems:serve"
    ),
    "export": Command("write a system as a Hugging Face folder, or a GGUF file", _export, HERE + "systems:export"),
    "verify": Command("hash everything again and derive every claim again", _none, HERE + "evidence:verify"),
    "gc": Command("free what no kept run refers to", _gc, HERE + "evidence:gc"),
    "doctor": Command("show versions, devices and extras", _none, HERE + "doctor:doctor"),
    "completion": Command("print a shell completion script", _completion, HERE + "main:completion"),
}


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1 (got {value})")
    return value


def make_parser() -> argparse.ArgumentParser:
    """The whole command line; reading it imports nothing heavy."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", dest="as_json", default=argparse.SUPPRESS, help="JSON output")
    shared.add_argument("-C", dest="project", metavar="DIR", default=argparse.SUPPRESS, help="the project folder")
    parser = argparse.ArgumentParser(
        prog="genwright",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
    )
    parser.add_argument("--version", action="version", version=f"genwright {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        child = commands.add_parser(name, help=command.help, description=command.help, parents=[shared])
        command.add_arguments(child)
    return parser


def _version() -> str:
    from genwright import __version__

    return __version__


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    arguments.as_json = getattr(arguments, "as_json", False)
    arguments.project = getattr(arguments, "project", ".")
    if arguments.command is None:
        parser.print_help()
        sys.exit(2)
    sys.exit(_call(arguments))


def _call(arguments: argparse.Namespace) -> int:
    from importlib import import_module

    from genwright.cli.output import Output
    from genwright.core.errors import GenwrightError, Interrupted

    out = Output(as_json=arguments.as_json)
    module, _, function = COMMANDS[arguments.command].function.partition(":")
    try:
        code = getattr(import_module(module), function)(arguments, out)
        return int(code or 0)
    except GenwrightError as error:
        out.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        out.error(Interrupted("stopped"))
        return Interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("GENWRIGHT_DEBUG"):
            raise
        out.error(
            GenwrightError(
                f"unexpected {type(error).__name__}: {error}",
                hint="this is a defect: GENWRIGHT_DEBUG=1 shows where it happened",
            )
        )
        return 1


def completion(arguments: argparse.Namespace, out: "object") -> int:
    """Print the completion script of a shell."""
    import shtab

    sys.stdout.write(shtab.complete(make_parser(), shell=arguments.shell))
    return 0


if __name__ == "__main__":
    main()
