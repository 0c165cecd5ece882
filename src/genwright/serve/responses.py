"""The answer of a text system in the form of /v1/responses."""

from collections.abc import AsyncIterator
from typing import Any

from genwright.serve.answer import Answer
from genwright.serve.response_frame import Event, ResponseFrame
from genwright.serve.response_schemas import ResponsesRequest


class ResponseAnswer:
    """A chat's answer as a response, whole or as the events that build it up."""

    def __init__(self, request: ResponsesRequest, answer: Answer, /) -> None:
        self.answer = answer
        self.frame = ResponseFrame(request, answer.sampling)

    async def whole(self) -> dict[str, Any]:
        """The whole response."""
        body = await self.answer.whole()
        (choice,) = body["choices"]
        return self._finished(choice["message"]["content"], choice["finish_reason"])

    async def events(self) -> AsyncIterator[str]:
        """Server-sent events."""
        try:
            async for event in self.frame.events(self._events()):
                yield event
        finally:
            self.answer.cancel()

    async def _events(self) -> AsyncIterator[Event]:
        for event in (*self.frame.opening(), *self.frame.text_opening()):
            yield event
        text, finish = "", "stop"
        async for _, piece in self.answer.pieces():
            finish = piece.finish_reason or finish
            if piece.text:
                text += piece.text
                yield "response.output_text.delta", {**self.frame.at, "delta": piece.text, "logprobs": []}
        for event in self.frame.text_closing(text):
            yield event
        done = self._finished(text, finish)
        yield "response.output_item.done", {"output_index": 0, "item": done["output"][0]}
        yield f"response.{done['status']}", {"response": done}

    def _finished(self, text: str, finish: str) -> dict[str, Any]:
        status = "incomplete" if finish == "length" else "completed"
        return self.frame.finished([self.frame.message(text, status)], status=status, usage=self.answer.usage())
