"""Documents per second of the data stage and of datatrove doing the same steps, alternating: medians and ratio.

`python bench/data_speed.py --datatrove PYTHON` where PYTHON has datatrove[processing], spacy and orjson installed.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data_corpus import write_corpus
from report import write

HERE = Path(__file__).parent
MIN_BYTES = 100
FILTERS = {"length": ["length filter"], "quality": ["length filter", "Gopher quality rules"]}
WHY = (
    "datatrove drops a document when any of 14 bands of 8 hashes agrees, unverified: half of all pairs at a similarity "
    "of 0.72. genwright verifies candidates over 128 hashes against 0.8. datatrove's Gopher rules count spaCy words, "
    "and signs among them; genwright's count words between blanks, so documents near a limit fall differently."
)
SPEC = """
[project]
name = "speed"
modality = "text"

[data]
workers = 2
{redact}
filters = {{ min_bytes = {min_bytes}, quality = "{quality}" }}
near = {{ contained = "ignore" }}

[[data.sources]]
path = "{corpus}"
id_field = "id"
"""


def main() -> None:
    """Alternates both sides and writes `bench/results/data_speed.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datatrove", required=True, help="a Python that has datatrove")
    parser.add_argument("--documents", type=int, default=24_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", choices=("length", "quality"), default="quality")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        corpus = Path(work, "corpus")
        kinds = write_corpus(corpus, num_documents=asked.documents)
        rounds = [_round(asked, corpus, Path(work, f"round{number}")) for number in range(asked.repeats)]
        num_bytes = sum(path.stat().st_size for path in corpus.iterdir())
    _report(asked, kinds=kinds, num_bytes=num_bytes, rounds=rounds)


def _round(asked: argparse.Namespace, corpus: Path, work: Path) -> dict[str, dict[str, object]]:
    work.mkdir()
    everything = _genwright(
        corpus, work / "everything", redact="", quality="off" if asked.steps == "length" else "prose"
    )
    redact = 'redact = { pii = "keep", secrets = "keep" }'
    ours = _genwright(corpus, work / "ours", redact=redact, quality="off" if asked.steps == "length" else "prose")
    theirs = _timed([asked.datatrove, str(HERE / "data_datatrove.py"), str(corpus), str(work / "theirs"), asked.steps])
    theirs["counts"] = json.loads(str(theirs.pop("out")).strip().splitlines()[-1])
    return {"genwright": ours, "genwright_with_redaction": everything, "datatrove": theirs}


def _genwright(corpus: Path, project: Path, *, redact: str, quality: str) -> dict[str, object]:
    """The whole command: hashing the sources, the stage, the ledger."""
    project.mkdir()
    spec = SPEC.format(redact=redact, min_bytes=MIN_BYTES, quality=quality, corpus=corpus)
    (project / "genwright.toml").write_text(spec)
    timed = _timed([sys.executable, "-m", "genwright", "-C", str(project), "run", "data"])
    timed.pop("out")
    command = [sys.executable, "-m", "genwright", "-C", str(project), "claims", "--all", "--json"]
    claims = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    counted = ("documents_kept", "documents_dropped")
    timed["counts"] = {
        re.sub("^$", "kept", claim["label"]): int(claim["estimate"]["value"])
        for claim in claims
        if claim["metric"] in counted
    }
    return timed


def _timed(command: list[str]) -> dict[str, object]:
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    return {"wall_s": time.perf_counter() - start, "out": done.stdout}


def _report(asked: argparse.Namespace, *, kinds: dict[str, int], num_bytes: int, rounds: list[dict]) -> None:
    sides = {side: _side(asked.documents, [one[side] for one in rounds]) for side in rounds[0]}
    speeds = {side: facts["documents_per_second"] for side, facts in sides.items()}
    rows = [
        {"what": side.replace("_", " "), "value": round(speed, 1), "unit": "documents/s"}
        for side, speed in speeds.items()
    ]
    for side, goal in (("genwright", ">= 2"), ("genwright_with_redaction", "-")):
        what = f"{side.replace('_', ' ')} / datatrove"
        rows.append({"what": what, "value": round(speeds[side] / speeds["datatrove"], 2), "unit": "x", "goal": goal})
    write(
        "data_speed",
        title="Data: cleaning and deduplication, beside datatrove",
        command="python bench/data_speed.py --datatrove PYTHON",
        rows=rows,
        libraries=("pyarrow", "ftfy", "rensa"),
        corpus={"documents": asked.documents, "bytes": num_bytes, "kinds": kinds},
        steps=["unicode repair", *FILTERS[asked.steps], "exact duplicates", "MinHash near-duplicates"],
        datatrove=_datatrove_version(asked.datatrove),
        sides=sides,
        why_counts_differ=WHY,
    )


def _side(documents: int, runs: list[dict]) -> dict[str, object]:
    return {
        "documents_per_second": statistics.median(documents / run["wall_s"] for run in runs),
        "wall_s": [round(run["wall_s"], 2) for run in runs],
        "counts": runs[0]["counts"],
    }


def _datatrove_version(python: str) -> str:
    code = "from importlib.metadata import version; print(version('datatrove'))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
