"""The bodies of an answer with its evidence: the `sources` extension, and the annotations that clients know."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genwright.systems.grounded.answer import Citation, GroundedAnswer, Sentence, marked
from genwright.systems.retrieval.passage import Passage

Body = dict[str, Any]


@dataclass(frozen=True)
class Placed:
    """A sentence and where it stands in the text of the answer; `shown` is what a stream adds with it."""

    sentence: Sentence
    shown: str
    start: int
    end: int


class Placing:
    """Places sentences one after another, as the text of an answer does."""

    def __init__(self) -> None:
        self._before: Sentence | None = None
        self._end = 0

    def place(self, sentence: Sentence, /) -> Placed:
        """The next sentence in its place."""
        sentences = [sentence] if self._before is None else [self._before, sentence]
        shown = list(marked(sentences))[-1]
        end = self._end + len(shown)
        placed = Placed(sentence, shown, end - len(shown.lstrip()), end)
        self._before, self._end = sentence, end
        return placed


def placed(sentences: Sequence[Sentence], /) -> list[Placed]:
    """All of them."""
    placing = Placing()
    return [placing.place(one) for one in sentences]


def source_bodies(sources: Sequence[Passage], /) -> list[Body]:
    """The sources, numbered as the text cites them."""
    return [
        {
            "n": number,
            "document": one.document,
            "title": one.title,
            "path": list(one.path),
            "url": one.url or None,
            "start": one.start,
            "end": one.end,
            "quote": one.text,
            "score": one.score,
            "flags": list(one.flags),
        }
        for number, one in enumerate(sources, 1)
    ]


def citation_body(one: Placed, /) -> Body:
    """A sentence, its place in the answer, and what it stands on; the places of spans are in their documents."""
    spans = [
        {"n": cited.source, "document": cited.document, "start": cited.start, "end": cited.end, "quote": cited.quote}
        for cited in one.sentence.citations
    ]
    return {
        "text": one.sentence.text, "start": one.start, "end": one.end, "support": one.sentence.support, "spans": spans,
    }  # fmt: skip


def verdict(answer: GroundedAnswer, /) -> Body:
    """How the answer was come by."""
    return {
        "mode": answer.mode,
        "confidence": answer.confidence,
        "note": answer.note or None,
        "question": answer.question,
        "dropped": len(answer.dropped),
    }


def extension(answer: GroundedAnswer, /) -> Body:
    """What goes beside the fields of OpenAI's API."""
    cited = [citation_body(one) for one in placed(answer.sentences)]
    return {"sources": source_bodies(answer.sources), "citations": cited, **verdict(answer)}


def chat_annotations(one: Placed, /) -> list[Body]:
    """The citations of a sentence that have an address, as chats annotate them."""
    return [
        {"type": "url_citation", "url_citation": _url_citation(cited, one)}
        for cited in one.sentence.citations
        if cited.url
    ]


def response_annotations(one: Placed, /) -> list[Body]:
    """The citations of a sentence, as responses annotate them: by address where there is one, else by document."""
    return [
        {"type": "url_citation", **_url_citation(cited, one)}
        if cited.url
        else {"type": "file_citation", "file_id": cited.document, "filename": cited.title, "index": one.end}
        for cited in one.sentence.citations
    ]


def _url_citation(cited: Citation, one: Placed) -> Body:
    return {"start_index": one.start, "end_index": one.end, "title": cited.title, "url": cited.url}
