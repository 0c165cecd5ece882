"""One turn of a talk as parts of the page, in the order in which they become known."""

from collections.abc import AsyncIterator
from typing import Protocol

from genwright.serve.answer import submit
from genwright.serve.engine import Engine
from genwright.serve.grounded_engine import Asked, GroundedEngine
from genwright.serve.grounded_schemas import question_of
from genwright.serve.metrics import Metrics
from genwright.serve.page.view import View, cited_spans
from genwright.serve.schemas import ChatRequest, Message
from genwright.serve.served import Served
from genwright.serve.text_routes import encoded_chat
from genwright.systems.grounded.answer import Found, GroundedAnswer, Sentence
from genwright.systems.requests import Chat


class Talk(Protocol):
    """Begins a turn: what is wrong with it is raised at once, what it comes to follows part by part."""

    def begin(self, chat: Chat, /, *, turn: str) -> AsyncIterator[str]: ...


class GroundedTalk:
    """Sources first, sentences as they pass the check, then the verdict and the quotes."""

    def __init__(self, engine: GroundedEngine, /, *, metrics: Metrics, view: View) -> None:
        self.engine, self.metrics, self.view = engine, metrics, view

    def begin(self, chat: Chat, /, *, turn: str) -> AsyncIterator[str]:
        """The parts of the turn.

        Raises:
            GenwrightError: the question cannot be asked, or too many wait.
        """
        question, history = question_of(list(chat))
        return self._parts(self.engine.stream(question, history=history), question, turn)

    async def _parts(self, asked: Asked, question: str, turn: str) -> AsyncIterator[str]:
        part = self.view.part
        found: Found | None = None
        told: list[Sentence] = []
        yield part("opened", turn, question, "Searching the documents …")
        async for event in asked.events():
            if isinstance(event, Found):
                found = event
                num = len(found.sources)
                words = f"Reading {num} passage{'s' if num > 1 else ''} …" if num else "Nothing was found."
                yield part("evidence", turn, found.sources, {}) + part("state", turn, words)
            elif isinstance(event, Sentence):
                before = told[-1] if told else None
                told.append(event)
                yield part("said", turn, event, before, len(told), found.sources if found else ())
            else:
                self.metrics.prompt_tokens.inc(event.num_prompt_tokens)
                self.metrics.completion_tokens.inc(event.num_tokens)
                yield self._end(event, question, turn, as_told=(tuple(told), found.sources if found else None))

    def _end(self, answer: GroundedAnswer, question: str, turn: str, *, as_told: tuple[object, object]) -> str:
        """What was shown already is left as it is: who reads in it keeps the place."""
        part, spans = self.view.part, cited_spans(answer)
        parts = []
        if as_told[1] == answer.sources:
            parts.append(self.view.cited(answer, turn, spans=spans))
        else:
            parts.append(part("evidence", turn, answer.sources, spans))
        if not answer.sentences or as_told[0] != answer.sentences:
            parts.append(part("all_said", turn, answer.sentences, answer.sources, answer.text))
        plain = " ".join(one.text for one in answer.sentences) or answer.text
        named = f"{plain} Sources: {', '.join(answer.sources[n - 1].title for n in sorted(spans))}." if spans else plain
        parts += [self.view.verdict(answer, turn), part("ended", turn, question, plain, named)]
        return "".join(parts)


class TextTalk:
    """The pieces of a system that generates."""

    def __init__(self, engine: Engine, /, *, metrics: Metrics, view: View, served: Served) -> None:
        self.engine, self.metrics, self.view, self.served = engine, metrics, view, served

    def begin(self, chat: Chat, /, *, turn: str) -> AsyncIterator[str]:
        """The parts of the turn.

        Raises:
            GenwrightError: the chat cannot be answered, or too many wait.
        """
        messages = [Message.model_validate({"role": role, "content": text}) for role, text in chat]
        request = ChatRequest(model=self.served.model, messages=messages, stream=True)
        encoded = encoded_chat(request, engine=self.engine)
        answer = submit(
            request, encoded=encoded, engine=self.engine, metrics=self.metrics, limits=self.served.limits
        )  # fmt: skip

        async def parts() -> AsyncIterator[str]:
            part, text, finish = self.view.part, "", "stop"
            question = chat[-1][1]
            try:
                yield part("opened", turn, question, "…")
                async for _, piece in answer.pieces():
                    text, finish = text + piece.text, piece.finish_reason or finish
                    if piece.text:
                        yield part("piece", turn, piece.text)
            finally:
                answer.cancel()
            words = "Cut off: the answer reached the largest number of tokens." if finish == "length" else ""
            yield part("state", turn, words) + part("ended", turn, question, text, text)

        return parts()
