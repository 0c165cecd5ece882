"""Rewrites what is generated in README and manual: command help, benchmark tables, the demo's output.

python docs/generate.py [--check]    --check writes nothing and fails where something is out of date
"""

import contextlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MARK = re.compile(r"<!-- generated:(\w+) -->\n.*?<!-- end:\1 -->", re.DOTALL)


def cli_page() -> str:
    """Every command's help."""
    from genwright.cli.main import COMMANDS, make_parser

    parts = ["# Commands", "", "```text", _help([]), "```", ""]
    for name in COMMANDS:
        parts += [f"## {name}", "", "```text", _help([name]), "```", ""]
    assert make_parser().prog == "genwright"
    return "\n".join(parts)


def _help(words: list[str]) -> str:
    from genwright.cli.main import make_parser

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        make_parser().parse_args([*words, "--help"])
    return out.getvalue().rstrip()


def results() -> list[dict[str, Any]]:
    """The benchmark files that hold rows, by name."""
    files = sorted((ROOT / "bench" / "results").glob("*.json"))
    return [body for body in (json.loads(path.read_text(encoding="utf-8")) for path in files) if "rows" in body]


def bench_tables(level: str) -> str:
    """One table per benchmark."""
    parts = []
    for body in results():
        machine = body["machine"]
        where = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB"
        parts += [f"{level} {body['title']}", "", f"`{body['command']}` on {where}.", ""]
        parts += ["| what | value [interval] | unit | goal |", "|---|---|---|---|"]
        parts += [_row(row) for row in body["rows"]]
        parts.append("")
    return "\n".join(parts).rstrip()


def grid_page() -> str:
    """The grid of families and modalities, from `bench/results/grid.json`."""
    body = json.loads((ROOT / "bench" / "results" / "grid.json").read_text(encoding="utf-8"))
    machine = body["machine"]
    parts = [
        "# The grid",
        "",
        f"Every family over every modality, {body['budget']} of training each on one thread of {machine['cpu']}, from",
        "the recipes: `python bench/grid.py FOLDER` measures, `python docs/generate.py` writes this page. One seed; a",
        "budget this short shows that a cell works and where it stands, not what a family can do. Beside each figure",
        "stand other real samples and the baselines without a net. `set` is what `--set train.family=` was.",
        "",
    ]
    for modality in dict.fromkeys(cell["modality"] for cell in body["cells"]):
        own = [cell for cell in body["cells"] if cell["modality"] == modality]
        parts += [f"## {modality.capitalize()}", "", f"Recipe `{own[0]['recipe']}`.", ""]
        parts += ["| family | set | legal | figure | other real | baselines | likelihood | training |"]
        parts += ["|---|---|---|---|---|---|---|---|", *(_cell(cell) for cell in own), ""]
        parts += [line for cell in own if cell.get("sample") for line in _sample(cell)]
    return "\n".join(parts)


def _cell(cell: dict[str, Any]) -> str:
    if "error" in cell:
        return f"| {cell['family']} | `{cell['set']}` | {cell['error']} | | | | | |"
    claims = cell["claims"]
    main = next(one for one in claims if one["metric"] not in ("legal_share", "new_share", "negative_log_likelihood"))
    legal = next((_claim(one) for one in claims if one["metric"] == "legal_share" and not one["of"]), "")
    nats = next((one for one in claims if one["metric"] == "negative_log_likelihood"), None)
    cost = cell["training"]
    row = (
        cell["family"],
        f"`{cell['set']}`",
        legal,
        f"{main['metric']} {_claim(main)}",
        _other_real(claims, main["metric"]),
        "; ".join(f"{one['of'].removeprefix('baseline: ')} {_claim(one)}" for one in claims if _is_baseline(one)),
        f"{_claim(nats)} {nats['unit']}{' (bound)' if nats['of'] else ''}" if nats else "none",
        f"{cost['cpu_s']:.0f} CPU-s, {cost['energy']['joules']:.0f} J",
    )
    return f"| {' | '.join(row)} |"


def _is_baseline(one: dict[str, Any]) -> bool:
    return str(one["of"]).startswith("baseline: ")


def _other_real(claims: list[dict[str, Any]], metric: str) -> str:
    """Their figure. Where the figure is a ratio to theirs, 1, and what it is a ratio to where that was kept."""
    found = next((one for one in claims if one["of"] == "reference: other real samples"), None)
    if metric != "frechet_ratio":
        return _claim(found) if found else ""
    distance = f": {found['metric']} {_claim(found)}" if found else ""
    return f"1 by definition{distance}"


def _claim(one: dict[str, Any]) -> str:
    if one["value"] is None:
        return "not estimable"
    interval = f" [{one['low']:.3g}, {one['high']:.3g}]" if one["low"] is not None else ""
    return f"{one['value']:.3g}{interval}"


def _sample(cell: dict[str, Any]) -> list[str]:
    if (ROOT / "docs" / "grid" / cell["sample"]).is_file():
        said = f"samples of {cell['modality']} by {cell['family']}"
        return [f"{cell['family']}:", "", f"![{said}](grid/{cell['sample']})", ""]
    return [f"{cell['family']}:", "", "```text", cell["sample"], "```", ""]


def _row(row: dict[str, Any]) -> str:
    interval = row.get("interval")
    value = f"{row['value']} [{interval[0]}, {interval[1]}]" if interval else f"{row['value']}"
    return f"| {row['what']} | {value} | {row.get('unit', '')} | {row.get('goal', '')} |"


def demo_output() -> str:
    """What `make demo` printed last."""
    path = ROOT / "docs" / "demo.txt"
    return "```text\n" + path.read_text(encoding="utf-8").rstrip() + "\n```" if path.exists() else ""


def pages() -> dict[Path, str]:
    """Every generated file with its content."""
    blocks = {"demo": demo_output(), "bench": bench_tables("###")}

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        return f"<!-- generated:{name} -->\n{blocks[name]}\n<!-- end:{name} -->"

    readme = ROOT / "README.md"
    return {
        readme: MARK.sub(fill, readme.read_text(encoding="utf-8")),
        ROOT / "docs" / "cli.md": cli_page(),
        ROOT / "docs" / "grid.md": grid_page(),
        ROOT / "docs" / "benchmarks.md": "# Benchmarks\n\nWritten by `make readme` from `bench/results`.\n\n"
        + bench_tables("##")
        + "\n",
    }


def main() -> int:
    """Write, or check."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: make readme")  # noqa: T201
        return 1 if stale else 0
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
