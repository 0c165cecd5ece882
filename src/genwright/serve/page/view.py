"""HTML of the page. Every text is escaped by the templates; none is marked as safe."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from genwright.modalities.document.document import Document
from genwright.systems.grounded.answer import GroundedAnswer, gap
from genwright.systems.retrieval.passage import Passage

Within = tuple[int, int]
MODES = {
    "extractive": "Quoted from the documents",
    "generated": "Written by the model; every sentence was checked against the documents",
    "abstained": "No answer: nothing that was found supports one well enough",
}


def pieces(text: str, spans: Sequence[Within], /) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is within a span. Spans may overlap, and may reach beyond the text."""
    found: list[tuple[str, bool]] = []
    at = 0
    for start, end in joined(spans, within=len(text)):
        found += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [(piece, marked) for piece, marked in (*found, (text[at:], False)) if piece]


def joined(spans: Sequence[Within], /, *, within: int) -> list[Within]:
    """Spans in order, none empty, none that touches another, all from 0 to `within`."""
    found: list[Within] = []
    for start, end in sorted((max(0, start), min(end, within)) for start, end in spans):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def cited_spans(answer: GroundedAnswer, /) -> dict[int, list[Within]]:
    """For each source that is cited, the spans within its text."""
    found: dict[int, list[Within]] = {}
    for one in answer.sentences:
        for cited in one.citations:
            if 1 <= cited.source <= len(answer.sources):
                first = answer.sources[cited.source - 1].start
                found.setdefault(cited.source, []).append((cited.start - first, cited.end - first))
    return found


def place(passage: Passage, spans: Sequence[Within], /) -> str:
    """The address of the document, with the spans of the passage (or all of it) to be marked."""
    within = joined(spans, within=len(passage.text)) or [(0, len(passage.text))]
    at = "&".join(f"at={passage.start + start}-{passage.start + end}" for start, end in within)
    return f"/documents/{quote(passage.document, safe='')}?{at}#quote"


class View:
    """Renders the page of one system, and the parts that a stream adds to it."""

    def __init__(self, *, name: str, digest: str, grounded: bool) -> None:
        self.name, self.digest, self.grounded = name, digest, grounded
        self.environment = Environment(
            loader=PackageLoader("genwright.serve.page"),
            autoescape=True,
            undefined=StrictUndefined,
            keep_trailing_newline=False,
        )
        self.environment.globals |= {"pieces": pieces, "place": place, "gap": gap}

    @cached_property
    def _parts(self) -> Any:
        return self.environment.get_template("partials.html.j2").module

    def _page(self, template: str, **values: Any) -> str:
        return self.environment.get_template(template).render(name=self.name, digest=self.digest, **values)

    def chat(self, *, token: str) -> str:
        """The page."""
        return self._page("chat.html.j2", grounded=self.grounded, token=token)

    def document(self, document: Document, /, *, spans: Sequence[Within]) -> str:
        """A document with marked spans."""
        return self._page("document.html.j2", document=document, spans=joined(spans, within=len(document.text)))

    def missing(self, message: str, /) -> str:
        """What is shown in place of a document that is not there."""
        return self._page("missing.html.j2", message=message)

    def problem(self, message: str, /, *, hint: str | None) -> str:
        """A refusal, for the log."""
        return str(self._parts.problem(message, hint))

    def part(self, name: str, /, *values: Any) -> str:
        """A part of a stream, by the name of its macro."""
        return str(getattr(self._parts, name)(*values))

    def verdict(self, answer: GroundedAnswer, turn: str, /) -> str:
        """How the answer was come by."""
        words = f"{MODES[answer.mode]} (confidence {answer.confidence:.0%})."
        return self.part("verdict", turn, words, answer.mode, answer.note, len(answer.dropped))

    def cited(self, answer: GroundedAnswer, turn: str, /, *, spans: Mapping[int, Sequence[Within]]) -> str:
        """Marks the quotes in the sources that are shown already."""
        parts = (self.part("cited", turn, n, answer.sources[n - 1], within) for n, within in sorted(spans.items()))
        return "".join(parts)
