"""A grounded system over three documents, as `GroundedSystem` is asked: what it quotes is what it finds by a word."""

import re
import threading
from types import SimpleNamespace

from genwright.core import DataError
from genwright.modalities.document.document import Document
from genwright.systems.grounded.answer import Citation, Found, GroundedAnswer, Sentence
from genwright.systems.retrieval.passage import Passage

LISTS = (
    "Lists keep things in order.\n\n"
    "list.sort() sorts the items of the list in place. It returns None.\n\n"
    "    numbers.sort(reverse=True)\n\n"
    "sorted() builds a new list from any iterable.\n"
)
HOSTILE = (
    "<script>document.title = 'taken'</script> <img src=x onerror=\"document.title='taken'\"> is text here.\n"
    "<hx-partial hx-target=\"#log\">gone</hx-partial> </blockquote><b>bold</b> & 'quotes' stay text too.\r\n"
    "And a third line.\n"
)
FILES = "A file is opened with open(). The with statement closes it again.\n"
DOCUMENTS = {
    one.id: one
    for one in (
        Document("library/lists", "Lists & sorting", LISTS, source="library", url="https://example.org/lists?a=1&b=2"),
        Document("odd/../<id>#?", "<b>Markup</b>", HOSTILE, source="odd", url="javascript:alert(1)"),
        Document("library/files", "Files", FILES, source="library"),
    )
}
SENTENCE = re.compile(r"\S[^\n]*?(?:[.](?=\s|$)|$)", re.MULTILINE)


class FakeGrounded:
    """Answers with the sentences that hold the question's longest word; asked for `slowly`, it waits to be let on."""

    capabilities = frozenset({"generate", "stream", "retrieve"})
    manifest = SimpleNamespace(modality="document")

    def __init__(self):
        self.go_on = threading.Event()
        self.asked = []

    def document(self, name, /):
        if name not in DOCUMENTS:
            raise DataError(f"there is no document '{name}'")
        return DOCUMENTS[name]

    def ask(self, question, /, *, history=(), filters=None, k=None):
        return list(self.ask_stream(question, history=history, filters=filters))[-1]

    def ask_stream(self, question, /, *, history=(), filters=None):
        self.asked.append((question, history, filters))
        if "too long" in question:
            raise DataError("the question has 100,000 characters; at most 2,000 are searched for")
        if "defect" in question:
            raise RuntimeError("a defect")
        word = max(re.findall(r"\w+", question) or [""], key=len).lower()
        sources = tuple(self._passages(word, filters or {}))
        yield Found(sources)
        if "slowly" in question:
            self.go_on.wait(20)
        sentences = [] if "weather" in question else list(self._sentences(word, sources))
        yield from sentences
        mode = "extractive" if sentences else "abstained"
        yield GroundedAnswer(
            question, mode, tuple(sentences), sources, 0.87 if sentences else 0.11,
            note="BM25 did not answer." if "note" in question else "", num_prompt_tokens=7, num_tokens=3,
        )  # fmt: skip

    def _passages(self, word, filters):
        for one in DOCUMENTS.values():
            fields = {"source": one.source, "document": one.id, "title": one.title}
            if any(fields.get(name) not in values for name, values in filters.items()):
                continue
            if word in one.text.lower() or word == "weather":
                start = 5 if one.id == "library/lists" else 0
                chunk = f"{one.id}#{start}-{len(one.text)}"
                yield Passage(
                    chunk, one.id, one.title, (one.title, "Part"), start, len(one.text), one.text[start:], 0.5,
                    url=one.url, source=one.source, flags=("markup",) if "<" in one.text else (),
                )  # fmt: skip

    def _sentences(self, word, sources):
        for number, passage in enumerate(sources, 1):
            for found in SENTENCE.finditer(passage.text):
                if word in found[0].lower():
                    start, end = passage.start + found.start(), passage.start + found.end()
                    cited = Citation(number, passage.document, passage.title, start, end, found[0], passage.url)
                    yield Sentence(found[0], (cited,), 0.9)
