"""Commands that talk with a system: ask a question, or hold a chat."""

import argparse
import contextlib
import re
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from genwright.cli.output import Output, plain
from genwright.core.errors import CapabilityError, GenwrightError, SpecError
from genwright.project import Project
from genwright.systems.grounded.answer import Found, GroundedAnswer, Sentence, marked
from genwright.systems.requests import Chat
from genwright.systems.retrieval.passage import Passage

FILTERS = ("source", "document", "title", "path")
HELP = "/sources shows the passages of the last answer, /new forgets what was said, /quit ends."
# Control characters and marks that turn the direction of writing: a document is no hand on this terminal.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def ask(arguments: argparse.Namespace, out: Output) -> int:
    """Answer one question from the documents, with the sources; an abstention is an answer too."""
    system, digest = _system(arguments)
    if "retrieve" not in system.capabilities:
        raise CapabilityError(
            f"system {digest[:12]} answers from no documents (it can: {', '.join(sorted(system.capabilities))})",
            hint="genwright chat talks with any system that generates",
        )
    question = sys.stdin.read() if arguments.question == "-" else arguments.question
    talk = DocumentTalk(system, out, filters=filters_of(arguments.filters), stream=not arguments.no_stream)
    answer = talk.ask(question.strip(), ())
    if out.as_json:
        out.value({**talk.body(answer), "system": digest})
        return 0
    _show_cited(answer, out)
    return 0


def chat(arguments: argparse.Namespace, out: Output) -> int:
    """Talk until /quit or the end of the input."""
    system, digest = _system(arguments)
    talk = _talk(system, arguments, out, digest=digest)
    out.note(f"System {digest[:12]}. {HELP}")
    history: Chat = ()
    while (said := _read()) is not None:
        if said in ("/quit", "/exit"):
            break
        if said == "/new":
            history = ()
            out.note("forgotten")
        elif said == "/sources":
            talk.show_sources()
        elif said.startswith("/"):
            out.note(HELP)
        elif said:
            answer = _turn(talk, said, history, out)
            history = history if answer is None else (*history, ("user", said), ("assistant", answer))
    return 0


def _system(arguments: argparse.Namespace) -> tuple[Any, str]:
    project = Project.find(arguments.project)
    digest, _ = project.resolve_system(arguments.system)
    return project.system(digest), digest


def filters_of(given: Sequence[str], /) -> dict[str, list[str]] | None:
    """What `--filter FIELD=VALUE` keeps, by field.

    Raises:
        SpecError: there is no such field, or no value.
    """
    found: dict[str, list[str]] = {}
    for one in given:
        name, _, value = one.partition("=")
        if name not in FILTERS or not value:
            raise SpecError(f"--filter {one}: it is FIELD=VALUE, and the field one of {', '.join(FILTERS)}")
        found.setdefault(name, []).append(value)
    return found or None


class Talk(Protocol):
    """Gives answers and shows them."""

    def say(self, said: str, history: Chat, /) -> str: ...
    def show_sources(self) -> None: ...


class DocumentTalk:
    """Over a system that answers from documents."""

    def __init__(self, system: Any, out: Output, /, *, filters: dict[str, list[str]] | None, stream: bool) -> None:
        self.system, self.out, self.filters, self.stream = system, out, filters, stream
        self._last: GroundedAnswer | None = None

    def ask(self, question: str, history: Chat, /) -> GroundedAnswer:
        """The answer, shown as it comes (under `--json` it is only given)."""
        if self.out.as_json or not self.stream:
            whole: GroundedAnswer = self.system.ask(question, history=history, filters=self.filters)
            if not self.out.as_json:
                self.out.text(safe(whole.text))
            return self._verdict(whole)
        told: list[Sentence] = []
        for event in self.system.ask_stream(question, history=history, filters=self.filters):
            if isinstance(event, Found):
                self.out.note(f"reading {len(event.sources)} passages")
            elif isinstance(event, Sentence):
                told.append(event)
                self.out.text(safe(list(marked(told))[-1]), end="")
            else:
                self.out.text("" if told else safe(event.text))
                return self._verdict(event)
        raise CapabilityError("the system's stream ended without an answer")

    def _verdict(self, answer: GroundedAnswer) -> GroundedAnswer:
        self._last = answer
        words = "abstained: nothing that was found supports an answer" if answer.mode == "abstained" else answer.mode
        dropped = f"; {len(answer.dropped)} unsupported left out" if answer.dropped else ""
        self.out.note(f"({words}; confidence {answer.confidence:.0%}{dropped})")
        if answer.note:
            self.out.note(safe(answer.note))
        return answer

    def body(self, answer: GroundedAnswer, /) -> dict[str, Any]:
        """The answer as JSON."""
        return {"text": answer.text, **plain(answer)}

    def say(self, said: str, history: Chat, /) -> str:
        """One turn; what it comes to without the numbers of sources."""
        answer = self.ask(said, history)
        if self.out.as_json:
            self.out.value(self.body(answer))
        else:
            _show_cited(answer, self.out)
        return " ".join(one.text for one in answer.sentences) or answer.text

    def show_sources(self) -> None:
        """All passages of the last answer, whole."""
        if self._last is None or not self._last.sources:
            self.out.note("there are none yet")
            return
        for number, passage in enumerate(self._last.sources, 1):
            self.out.text(safe(heading(passage, number)))
            self.out.text(_indented(safe(passage.text)))


class TextTalk:
    """Over any other system that generates."""

    def __init__(self, system: Any, out: Output, /, *, request: dict[str, Any], seed: int) -> None:
        self.system, self.out, self.request, self.seed = system, out, request, seed

    def say(self, said: str, history: Chat, /) -> str:
        """One turn, shown as it comes."""
        asked = self.system.request((*history, ("user", said)), seed=self.seed + len(history), **self.request)
        pieces = []
        for piece in self.system.stream(asked):
            pieces.append(piece)
            if not self.out.as_json:
                self.out.text(safe(piece), end="")
        text = "".join(pieces)
        if self.out.as_json:
            self.out.value({"text": text})
        else:
            self.out.text("")
        return text

    def show_sources(self) -> None:
        """There are none."""
        self.out.note("this system answers from no documents")


def _talk(system: Any, arguments: argparse.Namespace, out: Output, *, digest: str) -> Talk:
    filters = filters_of(arguments.filters)
    if "retrieve" in system.capabilities:
        return DocumentTalk(system, out, filters=filters, stream=True)
    if "generate" not in system.capabilities:
        raise CapabilityError(
            f"system {digest[:12]} answers nothing (it can: {', '.join(sorted(system.capabilities))})",
            hint="genwright generate draws samples",
        )
    if filters:
        raise SpecError("--filter is for systems that answer from documents")
    sampling = {} if arguments.temperature is None else {"temperature": arguments.temperature}
    request = {"max_tokens": arguments.max_tokens, "sampling": sampling}
    return TextTalk(system, out, request=request, seed=arguments.seed)


def _turn(talk: Talk, said: str, history: Chat, out: Output) -> str | None:
    """The answer; None where it was stopped or failed, and the talk goes on as if nothing had been said."""
    try:
        return talk.say(said, history)
    except KeyboardInterrupt:
        out.text("")
        out.note("(stopped)")
    except GenwrightError as error:
        if not sys.stdin.isatty():
            raise
        out.error(error)
    return None


def _read() -> str | None:
    """What was said; None at the end (Ctrl-D, or Ctrl-C while nothing is under way)."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        return line.strip() if line else None
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (lines can be edited once it is there)
    try:
        return input("> ").strip()
    except (EOFError, KeyboardInterrupt):
        sys.stdout.write("\n")
        return None


def _show_cited(answer: GroundedAnswer, out: Output) -> None:
    quotes: dict[int, list[str]] = {}
    for one in answer.sentences:
        for cited in one.citations:
            quotes.setdefault(cited.source, []).append(cited.quote)
    for number, found in sorted(quotes.items()):
        passage = answer.sources[number - 1]
        out.text(safe(f"\n{heading(passage, number)}"))
        for quoted in dict.fromkeys(found):
            out.text(_indented(safe(f'"{quoted}"')))
        if passage.url:
            out.text(_indented(safe(passage.url)))


def heading(passage: Passage, number: int, /) -> str:
    """One line that says where a passage stands."""
    path = [passage.title, *(part for part in passage.path if part != passage.title)]
    return f"[{number}] {' > '.join(path)} ({passage.document}, characters {passage.start}-{passage.end})"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def safe(text: str, /) -> str:
    """The text without what would steer a terminal."""
    return UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))
