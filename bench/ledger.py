"""Start-up, questions to a large ledger, and what recording costs a training run.

python bench/ledger.py
"""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import report
from genwright.ledger import Ledger
from genwright.project import Project
from genwright.project.recipes import new_project

CLAIMS = 100_000
ROUNDS = 9
GENWRIGHT = [sys.executable, "-m", "genwright"]


def cpu_and_wall(command: list[str], *, cwd: Path | None = None) -> tuple[float, float]:
    """CPU and wall seconds of a finished process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - start


def start_up() -> list[dict[str, object]]:
    """`genwright --help` against `python -c pass`, in turn."""
    help_cpu, pass_cpu = [], []
    for _ in range(ROUNDS):
        help_cpu.append(cpu_and_wall([*GENWRIGHT, "--help"])[0])
        pass_cpu.append(cpu_and_wall([sys.executable, "-c", "pass"])[0])
    help_s, pass_s = statistics.median(help_cpu), statistics.median(pass_cpu)
    return [
        {"what": "genwright --help", "value": round(help_s, 4), "unit": "CPU s", "goal": "under 0.15"},
        {
            "what": "genwright --help over python -c pass",
            "value": round(help_s / pass_s, 1),
            "unit": "x",
            "goal": "at most 10",
        },
    ]


def large_ledger(folder: Path) -> list[dict[str, object]]:
    """`status` and `claims` in a project whose ledger holds 100,000 claims."""
    new_project("python-prose", folder)
    ledger = Ledger(folder / ".genwright")
    body = {
        "subject": "0" * 64, "label": "", "metric": "bits_per_byte", "version": "1", "unit": "bit/byte",
        "estimate": {"value": 2.0, "n": 25, "method": "t", "low": 1.9, "high": 2.1, "level": 0.95, "reason": None},
        "derivation": {"estimator": "ratio", "columns": {"numerator": "a", "denominator": "b"}},
        "scores": "1" * 64, "data": None, "better": "lower", "headline": True, "run": "", "actor": "", "created": "",
    }  # fmt: skip
    ledger.entries.append([("claim", {**body, "id": f"{n:064x}", "run": f"{n // 40:x}"}) for n in range(CLAIMS)])
    ledger.close()
    rows = []
    for words in (["status"], ["claims"], ["claims", "--metric", "bits_per_byte", "--json"]):
        walls = [cpu_and_wall([*GENWRIGHT, *words], cwd=folder)[1] for _ in range(ROUNDS)]
        what = f"genwright {' '.join(words)}, {CLAIMS:,} claims"
        rows.append({"what": what, "value": round(statistics.median(walls), 3), "unit": "s wall", "goal": "under 0.5"})
    return rows


def recording(folder: Path) -> list[dict[str, object]]:
    """What the runner adds to a training stage (hashing, rows, meters, log), and a live bar, over the stage's time."""
    new_project("python-prose", folder)
    project = Project.find(folder)
    (folder / "policy.toml").write_text('name = "any"\n[[gates]]\nmetric = "bits_per_byte"\nmax = 9.0\n')
    spent = timed_parts()
    project.run(["fit"])
    spent.update(train=0.0, deciding=0.0)
    project.run(["train"], overrides=['train.trainer.budget={time="60s"}'])
    train = project.ledger.runs(stage="train")[0]["cost"]["wall_s"]
    recorded = spent["train"] - spent["deciding"]
    share, bar = 100 * recorded / train, live_bar()
    note = f"{recorded:.2f} s of {train:.1f} s; calibration, not counted, {spent['deciding']:.2f} s"
    return [
        {
            "what": "recording: ledger, hashing, meters, log",
            "value": round(share, 2),
            "unit": "% of wall time",
            "note": note,
        },
        {"what": "live progress bar", "value": round(bar, 2), "unit": "% of one core"},
        {"what": "both together", "value": round(share + bar, 2), "unit": "% of wall time", "goal": "under 2"},
    ]


def live_bar(*, seconds: float = 10.0, steps_per_second: int = 5) -> float:
    """The CPU share of a drawn bar that is moved five times a second."""
    from rich.console import Console

    from genwright.cli.progress import BarProgress

    progress = BarProgress()
    with Path("/dev/null").open("w") as sink:
        progress.console = Console(file=sink, force_terminal=True, width=120)
        with progress.task("train", total=seconds * steps_per_second) as task:
            start, cpu = time.perf_counter(), time.process_time()
            while time.perf_counter() - start < seconds:
                task.advance(1, note="loss 2.000, 5,000 tokens/s")
                time.sleep(1 / steps_per_second)
            return 100 * (time.process_time() - cpu) / seconds


def timed_parts() -> dict[str, float]:
    """Wraps what the runner adds to a stage, and counts its seconds; filled while stages run.

    What a decision is made by (the calibration: training steps on copies) is counted apart, as `deciding`.
    """
    from genwright.project import run as runner

    spent = {"train": 0.0, "deciding": 0.0}
    nested = [0]

    def timed(function):
        def wrapper(*arguments, **options):
            nested[0] += 1
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                nested[0] -= 1
                if nested[0] == 0:
                    spent["train"] += time.perf_counter() - start

        return wrapper

    execution = runner._Execution
    decide = execution._decide

    def decide_apart(self, name, make):
        def made():
            start = time.perf_counter()
            try:
                return make()
            finally:
                spent["deciding"] += time.perf_counter() - start

        return decide(self, name, made)

    execution._decide = decide_apart
    for name in ("_keep", "_log", "_decide", "_context", "_record"):
        setattr(execution, name, timed(getattr(execution, name)))
    return spent


def main() -> None:
    """Measure and write."""
    scratch = Path(tempfile.mkdtemp())
    try:
        rows = start_up() + large_ledger(scratch / "large") + recording(scratch / "train")
    finally:
        shutil.rmtree(scratch)
    report.write(
        "ledger", title="Start-up, a large ledger, the cost of recording", command="python bench/ledger.py", rows=rows
    )


if __name__ == "__main__":
    main()
