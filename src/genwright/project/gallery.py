"""The first samples of one side as part of a page: texts, rows of a table, a picture."""

from __future__ import annotations

import csv
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

from genwright.project.markup import table

MOST_SAMPLES = 8
MOST_CHARACTERS = 1000  # of one text or cell
# What no page may hold, by its sign: a net of bytes writes such characters early on.
CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}
PICTURES = {".png": "image/png", ".svg": "image/svg+xml"}


def gallery(side: str, folder: Path, /) -> str:
    """A figure of what the folder of an evaluation's samples holds: texts, rows of `samples.csv`, the preview.

    All is escaped, control characters are shown by their signs, pictures lie inside, and a text or cell ends after
    1,000 characters.
    """
    facts = json.loads((folder / "samples.json").read_text(encoding="utf-8"))
    preview = facts.get("preview")
    picture = folder / preview if preview else None
    shown = [
        *_texts(list(islice(_spoken(facts, folder), MOST_SAMPLES))),
        *_rows(side, folder / "samples.csv"),
        *(_drawn(side, picture) if picture else ()),
    ]
    body = "".join(shown) or "<p>No samples that a page can show.</p>"
    return f"<figure><figcaption>{escape(side)}, first samples</figcaption>{body}</figure>"


def _spoken(facts: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    """Prompt and text of each sample; of samples that nobody asked for, an empty prompt."""
    for one in facts["samples"]:
        yield str(one.get("prompt") or ""), str(one["text"])
    lines = folder / "samples.jsonl"
    if facts["samples"] or not lines.is_file():
        return
    with lines.open(encoding="utf-8") as file:
        for line in file:
            if "text" in (one := json.loads(line)):
                yield "", str(one["text"] or "")


def _texts(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    if pairs:
        yield f"<ol>{''.join(f'<li>{_asked(prompt)}{_text(text)}</li>' for prompt, text in pairs)}</ol>"


def _asked(prompt: str) -> str:
    return f"<p>{escape(_cut(prompt))}</p>" if prompt else ""


def _text(text: str) -> str:
    return f"<pre>{escape(_cut(text))}</pre>" if text.strip() else "<p>empty</p>"


def _rows(side: str, path: Path) -> Iterator[str]:
    """The first rows in a box that scrolls sideways, by keyboard too."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = islice(csv.reader(file), MOST_SAMPLES + 1)
    numbered = [[str(at), *map(_cut, row)] for at, row in enumerate(rows, start=1)]
    body = table(["row", *names], numbered, caption=f"first {len(rows)} rows of {path.name}")
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{escape(side)}, rows">{body}</div>'


def _drawn(side: str, path: Path) -> Iterator[str]:
    if kind := PICTURES.get(path.suffix):
        data = b64encode(path.read_bytes()).decode("ascii")
        yield f'<img alt="{escape(side)}, samples drawn" src="data:{kind};base64,{data}">'


def _cut(text: str) -> str:
    shown = text[:MOST_CHARACTERS].translate(CONTROLS)
    return f"{shown} ..." if len(text) > MOST_CHARACTERS else shown
