"""The answer of a text system in the form of /v1/responses."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from genwright.serve.answer import Answer
from genwright.serve.response_frame import Event, ResponseFrame
from genwright.serve.response_items import call_events, call_items
from genwright.serve.response_schemas import ResponsesRequest
from genwright.serve.tools import read_answer


class ResponseAnswer:
    """A chat's answer as a response, whole or as the events that build it up."""

    def __init__(self, request: ResponsesRequest, answer: Answer, /) -> None:
        self.answer = answer
        self.frame = ResponseFrame(request, answer.sampling)

    async def whole(self) -> dict[str, Any]:
        """The whole response."""
        body = await self.answer.whole()
        (choice,) = body["choices"]
        calls, text = choice["message"].get("tool_calls"), choice["message"]["content"]
        return self._finished(call_items(calls) if calls else self._message(text, choice["finish_reason"]))

    async def events(self) -> AsyncIterator[str]:
        """Server-sent events."""
        try:
            async for event in self.frame.events(self._events()):
                yield event
        finally:
            self.answer.cancel()

    async def _events(self) -> AsyncIterator[Event]:
        for event in self.frame.opening():
            yield event
        told = self._called() if self.answer.with_tools else self._spoken()
        async for event in told:
            yield event

    async def _spoken(self) -> AsyncIterator[Event]:
        for event in self.frame.text_opening():
            yield event
        text, finish = "", "stop"
        async for _, piece in self.answer.pieces():
            finish = piece.finish_reason or finish
            if piece.text:
                text += piece.text
                yield self._delta(piece.text)
        for event in self._closing(text, finish):
            yield event

    async def _called(self) -> AsyncIterator[Event]:
        """A call is sent whole, once it is."""
        pieces = [piece async for _, piece in self.answer.pieces()]
        words, calls = read_answer("".join(piece.text for piece in pieces))
        items = call_items(calls)
        for index, item in enumerate(items):
            for event in call_events(item, index=index):
                yield event
        if items:
            yield "response.completed", {"response": self._finished(items)}
            return
        text = words or ""
        for event in (*self.frame.text_opening(), self._delta(text)):
            yield event
        for event in self._closing(text, pieces[-1].finish_reason or "stop"):
            yield event

    def _delta(self, text: str) -> Event:
        return "response.output_text.delta", {**self.frame.at, "delta": text, "logprobs": []}

    def _closing(self, text: str, finish: str) -> list[Event]:
        done = self._finished(self._message(text, finish))
        return [
            *self.frame.text_closing(text),
            ("response.output_item.done", {"output_index": 0, "item": done["output"][0]}),
            (f"response.{done['status']}", {"response": done}),
        ]

    def _message(self, text: str, finish: str) -> list[dict[str, Any]]:
        return [self.frame.message(text, "incomplete" if finish == "length" else "completed")]

    def _finished(self, output: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return self.frame.finished(output, status=output[-1]["status"], usage=self.answer.usage())
