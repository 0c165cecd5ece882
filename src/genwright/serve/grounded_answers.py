"""An answer from documents in the forms of the API: whole or streamed, as a chat or as a response."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from genwright.core.errors import GenwrightError
from genwright.families import SamplingConfig
from genwright.serve.grounded_engine import Asked
from genwright.serve.grounded_schemas import GroundedChatRequest, GroundedResponsesRequest
from genwright.serve.grounded_wire import (
    Placed,
    Placing,
    chat_annotations,
    citation_body,
    extension,
    placed,
    response_annotations,
    source_bodies,
    verdict,
)
from genwright.serve.metrics import Metrics
from genwright.serve.problems import error_body
from genwright.serve.response_frame import Event, ResponseFrame
from genwright.serve.wire import Envelope, chat_delta, encode, usage
from genwright.systems.grounded.answer import Found, GroundedAnswer, Sentence

NOTHING_DRAWN = SamplingConfig(temperature=0.0)


@dataclass
class Told(ABC):
    """An answer under way."""

    asked: Asked
    metrics: Metrics

    async def whole(self) -> dict[str, Any]:
        """The whole body."""
        answer = None
        async for event in self.asked.events():
            answer = event
        assert isinstance(answer, GroundedAnswer)
        return self.body(self.counted(answer))

    def counted(self, answer: GroundedAnswer) -> GroundedAnswer:
        """The same answer, in the metrics."""
        self.metrics.prompt_tokens.inc(answer.num_prompt_tokens)
        self.metrics.completion_tokens.inc(answer.num_tokens)
        return answer

    @abstractmethod
    def body(self, answer: GroundedAnswer) -> dict[str, Any]:
        """The whole body of that answer."""

    @abstractmethod
    def events(self) -> AsyncIterator[str]:
        """Server-sent events."""


@dataclass
class GroundedChat(Told):
    """As a chat completion."""

    request: GroundedChatRequest
    envelope: Envelope

    def body(self, answer: GroundedAnswer) -> dict[str, Any]:
        """The answer with its extension."""
        marks = [mark for one in placed(answer.sentences) for mark in chat_annotations(one)]
        message = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": marks}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return self.envelope.body([choice], usage=_usage(answer), **extension(answer))

    async def events(self) -> AsyncIterator[str]:
        """Sources first, then a chunk per sentence, then how the answer was come by."""
        try:
            async for chunk in self._chunks():
                yield f"data: {encode(chunk)}\n\n"
            yield "data: [DONE]\n\n"
        except GenwrightError as error:
            body = error_body(error.message, kind="server_error", code=error.code)
            yield f"data: {encode(body)}\n\n"
        finally:
            self.asked.cancelled = True

    async def _chunks(self) -> AsyncIterator[dict[str, Any]]:
        options = self.request.stream_options
        more: dict[str, Any] = {"usage": None} if options and options.include_usage else {}
        yield self._chunk({"role": "assistant", "content": ""}, **more)
        placing = Placing()
        async for event in self.asked.events():
            if isinstance(event, Found):
                yield self._chunk({}, sources=source_bodies(event.sources), **more)
            elif isinstance(event, Sentence):
                yield self._sentence(placing.place(event), more)
            else:
                answer = self.counted(event)
                if not answer.sentences:
                    yield self._chunk({"content": answer.text}, **more)
                yield self._chunk({}, finish="stop", **verdict(answer), **more)
                if more:
                    yield self.envelope.body([], chunk=True, usage=_usage(answer))

    def _sentence(self, one: Placed, more: dict[str, Any]) -> dict[str, Any]:
        marks = chat_annotations(one)
        delta = {"content": one.shown, **({"annotations": marks} if marks else {})}
        return self._chunk(delta, citations=[citation_body(one)], **more)

    def _chunk(self, delta: dict[str, Any], *, finish: str | None = None, **more: Any) -> dict[str, Any]:
        choice = chat_delta(0, delta, [], finish=finish, with_logprobs=False)
        return self.envelope.body([choice], chunk=True, **more)


@dataclass
class GroundedResponse(Told):
    """As a response."""

    request: GroundedResponsesRequest
    frame: ResponseFrame = field(init=False)

    def __post_init__(self) -> None:
        """The frame is of the request."""
        self.frame = ResponseFrame(self.request, NOTHING_DRAWN)

    def body(self, answer: GroundedAnswer) -> dict[str, Any]:
        """The answer with its extension."""
        marks = [mark for one in placed(answer.sentences) for mark in response_annotations(one)]
        item = self.frame.message(answer.text, "completed", annotations=marks)
        return self.frame.finished([item], status="completed", usage=_usage(answer), **extension(answer))

    async def events(self) -> AsyncIterator[str]:
        """The events of a message that is built up sentence by sentence, each followed by its annotations."""
        try:
            async for text in self.frame.events(self._events()):
                yield text
        finally:
            self.asked.cancelled = True

    async def _events(self) -> AsyncIterator[Event]:
        for event in (*self.frame.opening(), *self.frame.text_opening()):
            yield event
        placing, marks = Placing(), 0
        async for said in self.asked.events():
            if isinstance(said, Sentence):
                one = placing.place(said)
                yield "response.output_text.delta", {**self.frame.at, "delta": one.shown, "logprobs": []}
                for mark in response_annotations(one):
                    body = {**self.frame.at, "annotation_index": marks, "annotation": mark}
                    yield "response.output_text.annotation.added", body
                    marks += 1
            elif isinstance(said, GroundedAnswer):
                for event in self._closing(self.counted(said)):
                    yield event

    def _closing(self, answer: GroundedAnswer) -> list[Event]:
        done = self.body(answer)
        (item,) = done["output"]
        unsaid = [("response.output_text.delta", {**self.frame.at, "delta": answer.text, "logprobs": []})]
        return [
            *([] if answer.sentences else unsaid),
            *self.frame.text_closing(answer.text, annotations=item["content"][0]["annotations"]),
            ("response.output_item.done", {"output_index": 0, "item": item}),
            ("response.completed", {"response": done}),
        ]


def _usage(answer: GroundedAnswer) -> dict[str, int]:
    return usage(answer.num_prompt_tokens, answer.num_tokens)
