"""Progress on stderr: live bars on a terminal, a plain line now and then elsewhere, JSON lines under `--json`."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

PLAIN_INTERVAL_S = 5.0


class LineTask:
    """Reports at most every few seconds, one line each."""

    def __init__(self, title: str, total: float | None, *, as_json: bool) -> None:
        self.title, self.total, self.as_json = title, total, as_json
        self.done, self.note = 0.0, ""
        self.start = self.last = time.monotonic()

    def advance(self, amount: float = 1, /, *, note: str = "") -> None:
        """Add to what is done."""
        self.done += amount
        self.note = note or self.note
        if time.monotonic() - self.last >= PLAIN_INTERVAL_S:
            self.last = time.monotonic()
            self._report()

    def _report(self) -> None:
        left_s = self._left_s()
        if self.as_json:
            body = {"progress": self.title, "done": self.done, "total": self.total, "left_s": left_s, "note": self.note}
            print(json.dumps(body), file=sys.stderr, flush=True)
            return
        share = f"{100 * self.done / self.total:3.0f} %" if self.total else f"{self.done:g}"
        left = f", {left_s:.0f} s left" if left_s is not None else ""
        print(f"  {self.title}: {share}{left}{'  ' + self.note if self.note else ''}", file=sys.stderr, flush=True)

    def _left_s(self) -> float | None:
        if not self.total or not self.done:
            return None
        return (time.monotonic() - self.start) * (self.total - self.done) / self.done


class LineProgress:
    """For pipes and logs."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    @contextmanager
    def task(self, title: str, /, *, total: float | None) -> Iterator[LineTask]:
        """A task that reports in lines."""
        yield LineTask(title, total, as_json=self.as_json)

    def say(self, message: str, /) -> None:
        """One line."""
        print(json.dumps({"say": message}) if self.as_json else message, file=sys.stderr, flush=True)


def make_progress(*, as_json: bool) -> "LineProgress | BarProgress":
    """The progress that fits where stderr leads."""
    if as_json or not sys.stderr.isatty():
        return LineProgress(as_json=as_json)
    return BarProgress()


class BarTask:
    """One live bar."""

    def __init__(self, bars: "object", number: int) -> None:
        self._bars, self._number = bars, number

    def advance(self, amount: float = 1, /, *, note: str = "") -> None:
        """Move the bar."""
        self._bars.update(self._number, advance=amount, **({"note": note} if note else {}))  # type: ignore[attr-defined]


class BarProgress:
    """Live bars with time left."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)

    @contextmanager
    def task(self, title: str, /, *, total: float | None) -> Iterator[BarTask]:
        """A bar that is there while the work is."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        left = TimeRemainingColumn(compact=True)
        columns = (TextColumn("  {task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"), left)
        bars = Progress(*columns, TextColumn("{task.fields[note]}"), console=self.console, transient=True)
        with bars:
            yield BarTask(bars, bars.add_task(title, total=total, note=""))

    def say(self, message: str, /) -> None:
        """One line above the bars."""
        self.console.print(message, markup=False)
