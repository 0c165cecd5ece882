"""The answer of /v1/responses: one object, or the events that build it up.

Source: Open Responses, 2026-04-24 (openresponses.org): objects, and the order of a stream's events.
"""

import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from genwright.core.errors import GenwrightError
from genwright.serve.answer import Answer
from genwright.serve.response_schemas import ResponsesRequest

TEXT = {"type": "text"}


@dataclass
class ResponseAnswer:
    """A chat's answer in the form of /v1/responses."""

    request: ResponsesRequest
    answer: Answer
    id: str = field(default_factory=lambda: f"resp_{uuid.uuid4().hex}")
    item_id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    async def whole(self) -> dict[str, Any]:
        """The whole response."""
        body = await self.answer.whole()
        (choice,) = body["choices"]
        return self._finished(choice["message"]["content"], choice["finish_reason"])

    async def events(self) -> AsyncIterator[str]:
        """Server-sent events, each with its number; an error after the first byte becomes the last event."""
        number = 0
        try:
            async for name, body in self._events():
                yield _event(name, {**body, "sequence_number": number})
                number += 1
        except GenwrightError as error:
            failed = {"code": error.code, "message": error.message}
            body = {"response": {**self._body("failed"), "error": failed}, "sequence_number": number}
            yield _event("response.failed", body)
        finally:
            self.answer.cancel()

    async def _events(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        at = {"item_id": self.item_id, "output_index": 0, "content_index": 0}
        yield "response.created", {"response": self._body("in_progress")}
        yield "response.in_progress", {"response": self._body("in_progress")}
        yield "response.output_item.added", {"output_index": 0, "item": self._item(None, "in_progress")}
        yield "response.content_part.added", {**at, "part": _part("")}
        text, finish = "", "stop"
        async for _, piece in self.answer.pieces():
            finish = piece.finish_reason or finish
            if piece.text:
                text += piece.text
                yield "response.output_text.delta", {**at, "delta": piece.text, "logprobs": []}
        yield "response.output_text.done", {**at, "text": text, "logprobs": []}
        yield "response.content_part.done", {**at, "part": _part(text)}
        done = self._finished(text, finish)
        yield "response.output_item.done", {"output_index": 0, "item": done["output"][0]}
        yield f"response.{done['status']}", {"response": done}

    def _finished(self, text: str, finish: str) -> dict[str, Any]:
        status = "incomplete" if finish == "length" else "completed"
        counted = self.answer.usage()
        more: dict[str, Any] = {
            "output": [self._item(text, status)],
            "completed_at": int(time.time()),
            "usage": {
                "input_tokens": counted["prompt_tokens"],
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": counted["completion_tokens"],
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": counted["total_tokens"],
            },
        }
        if status == "incomplete":
            more["incomplete_details"] = {"reason": "max_output_tokens"}
        return self._body(status) | more

    def _item(self, text: str | None, status: str) -> dict[str, Any]:
        content = [] if text is None else [_part(text)]
        return {"type": "message", "id": self.item_id, "status": status, "role": "assistant", "content": content}

    def _body(self, status: str) -> dict[str, Any]:
        """What holds before anything is made."""
        asked, sampling = self.request, self.answer.sampling
        form = asked.text.format if asked.text and asked.text.format else None
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "completed_at": None,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "max_tool_calls": None,
            "model": asked.model,
            "output": [],
            "previous_response_id": None,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "top_logprobs": 0,
            "text": {"format": _format(form)},
            "tools": [],
            "tool_choice": asked.tool_choice or "auto",
            "parallel_tool_calls": bool(asked.parallel_tool_calls),
            "reasoning": None,
            "truncation": "disabled",
            "usage": None,
            "metadata": asked.metadata or {},
            "user": asked.user,
            "safety_identifier": asked.safety_identifier,
            "prompt_cache_key": asked.prompt_cache_key,
            "service_tier": "default",
            "background": False,
            "store": False,
        }


def _format(form: Any) -> dict[str, Any]:
    if form is None or form.type != "json_schema":
        return {"type": form.type} if form else TEXT
    named = form.json_schema
    return {
        "type": "json_schema", "name": named.name, "schema": named.rules, "description": named.description,
        "strict": True,
    }  # fmt: skip


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _event(name: str, body: dict[str, Any]) -> str:
    text = json.dumps({"type": name, **body}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n"
