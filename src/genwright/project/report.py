"""A comparison as one page: the table, intervals drawn, what training cost, and samples of every side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from genwright.core.claim import Estimate
from genwright.project.compare import Comparison, Cost, Row
from genwright.project.gallery import gallery
from genwright.project.markup import table
from genwright.project.pareto import charts

WIDTH, LEFT, LINE = 720, 200, 22
# The page asks nobody for anything: a browser holds it to that.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
LEGEND = (
    "Filled: no other side is better in one and as good in the other. Bars: intervals. Dashed: alike for every side."
)
STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1b1f24}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.15rem .7rem .15rem 0;text-align:left;"
    "border-bottom:1px solid #d8dee4;vertical-align:top}tr>th[scope=row]{font-weight:400}caption{text-align:left}"
    "figure{margin:0 0 1.5rem}figcaption{font-weight:600}svg{max-width:100%}"
    ".wide{overflow-x:auto}.wide td{max-width:28rem;overflow-wrap:break-word}li>p{font-style:italic}"
    "img{max-width:100%;max-height:60rem;border:1px solid #d8dee4}"
    "pre{white-space:pre-wrap;background:#f6f8fa;padding:.6rem}"
    "svg text{font:12px system-ui,sans-serif}"
)


def write_report(found: Comparison, path: Path, /, *, title: str) -> Path:
    """One HTML file without links to others; pictures lie inside."""
    drawn = charts(found.rows, costs=found.costs)
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{STYLE}</style></head><body><main>',
        f"<h1>{escape(title)}</h1><p>Differences are to the first side that has the metric, as a rule ",
        f"{escape(found.costs[0].side)}: paired where both measured the same units, else of two intervals taken as ",
        "independent.</p>",
        "<h2>Cost of training</h2>",
        table(("side", "wall s", "CPU s", "energy"), map(_cost_cells, found.costs)),
        *((f"<h2>Quality against cost</h2><p>{LEGEND}</p>", *drawn) if drawn else ()),
        "<h2>Claims</h2>",
        *(_metric(found.rows, key) for key in dict.fromkeys((row.metric, row.label) for row in found.rows)),
        "<h2>Samples</h2>",
        *(gallery(name, folder) for name, folder in found.samples.items()),
        "</main></body></html>",
    ]
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return path


def estimate_text(estimate: Estimate) -> str:
    """A value with its interval, or why there is none.

    >>> estimate_text(Estimate(2.0, n=5, method="t", low=1.5, high=2.5, level=0.95))
    '2 [1.5, 2.5]'
    """
    if estimate.value is None:
        return f"not estimable: {estimate.reason}"
    if estimate.low is None or estimate.high is None:
        return _number(estimate.value)
    return f"{_number(estimate.value)} [{_number(estimate.low)}, {_number(estimate.high)}]"


def difference_cells(row: Row, /) -> dict[str, str]:
    """The difference to the first side as text, whether it is paired, and its p-value; empty where there is none."""
    return {
        "minus first": estimate_text(row.difference) if row.difference else "",
        "paired": ("yes" if row.paired else "no") if row.difference else "",
        "p (Holm)": f"{row.p_holm:.3g}" if row.p_holm is not None else "",
    }


def _cost_cells(cost: Cost) -> tuple[str, ...]:
    return (cost.side, _number(cost.wall_s), _number(cost.cpu_s), cost.energy)


def _metric(rows: Sequence[Row], key: tuple[str, str]) -> str:
    own = [row for row in rows if (row.metric, row.label) == key]
    metric, label = key
    name = f"{metric} ({label})" if label else metric
    cells = [
        (
            row.side,
            estimate_text(row.estimate),
            *difference_cells(row).values(),
        )
        for row in own
    ]
    head = f"<h3>{escape(name)}, {escape(own[0].unit)}</h3>"
    return head + _intervals(own, name) + table(("side", "value", "minus first", "paired", "p (Holm)"), cells)


def _intervals(rows: Sequence[Row], name: str) -> str:
    """A dot for each value and a bar for its interval, on one axis."""
    ends = [end for row in rows for end in _ends(row.estimate)]
    if not ends:
        return ""
    low, high = min(ends), max(ends)
    spread = high - low or abs(high) or 1.0

    def place(value: float) -> float:
        return round(LEFT + (value - low) / spread * (WIDTH - LEFT - 60), 1)

    body = []
    for at, row in enumerate(rows):
        y = LINE * at + 15
        body.append(f'<text x="0" y="{y + 4}">{escape(row.side[:32])}</text>')
        if row.estimate.low is not None and row.estimate.high is not None:
            x1, x2 = place(row.estimate.low), place(row.estimate.high)
            body.append(f'<line x1="{x1}" x2="{x2}" y1="{y}" y2="{y}" stroke="#57606a" stroke-width="2"/>')
        if row.estimate.value is not None:
            body.append(f'<circle cx="{place(row.estimate.value)}" cy="{y}" r="4" fill="#0969da"/>')
    bottom = LINE * len(rows) + 14
    body += [f'<text x="{place(end)}" y="{bottom}" fill="#57606a">{end:.4g}</text>' for end in (low, high)]
    said = f'role="img" aria-label="{escape(name)} by side"'
    return f'<svg viewBox="0 0 {WIDTH} {bottom + 6}" width="{WIDTH}" {said}>{"".join(body)}</svg>'


def _ends(estimate: Estimate) -> list[float]:
    return [end for end in (estimate.low, estimate.value, estimate.high) if end is not None]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 1000 else f"{value:.4g}"
