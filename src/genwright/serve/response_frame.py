"""The object of /v1/responses, and the frame of its stream.

Source: Open Responses, 2026-04-24 (openresponses.org): objects, and the order of a stream's events.
"""

import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from genwright.core.errors import GenwrightError
from genwright.families import SamplingConfig
from genwright.serve.response_items import FlatChoice
from genwright.serve.response_schemas import ResponsesRequest
from genwright.serve.wire import encode

TEXT = {"type": "text"}
Event = tuple[str, dict[str, Any]]
Body = dict[str, Any]


@dataclass
class ResponseFrame:
    """What holds of a response whatever it says."""

    request: ResponsesRequest
    sampling: SamplingConfig
    id: str = field(default_factory=lambda: f"resp_{uuid.uuid4().hex}")
    item_id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    async def events(self, made: AsyncIterator[Event], /) -> AsyncIterator[str]:
        """Server-sent events, each with its number; an error after the first byte becomes the last event."""
        number = 0
        try:
            async for name, body in made:
                yield event_text(name, {**body, "sequence_number": number})
                number += 1
        except GenwrightError as error:
            failed = {"code": error.code, "message": error.message}
            body = {"response": {**self.body("failed"), "error": failed}, "sequence_number": number}
            yield event_text("response.failed", body)

    @property
    def at(self) -> Body:
        """Where the text of the one message stands."""
        return {"item_id": self.item_id, "output_index": 0, "content_index": 0}

    def opening(self) -> list[Event]:
        """The first events of every stream."""
        body = self.body("in_progress")
        return [("response.created", {"response": body}), ("response.in_progress", {"response": body})]

    def text_opening(self) -> list[Event]:
        """What stands before the text of a message."""
        item = self.message(None, "in_progress")
        return [
            ("response.output_item.added", {"output_index": 0, "item": item}),
            ("response.content_part.added", {**self.at, "part": text_part("")}),
        ]

    def text_closing(self, text: str, /, *, annotations: Sequence[Body] = ()) -> list[Event]:
        """What stands behind the text of a message."""
        return [
            ("response.output_text.done", {**self.at, "text": text, "logprobs": []}),
            ("response.content_part.done", {**self.at, "part": text_part(text, annotations)}),
        ]

    def message(self, text: str | None, status: str, /, *, annotations: Sequence[Body] = ()) -> Body:
        """The item that holds the text; without a text, as it begins."""
        content = [] if text is None else [text_part(text, annotations)]
        return {"type": "message", "id": self.item_id, "status": status, "role": "assistant", "content": content}

    def finished(self, output: Sequence[Body], /, *, status: str, usage: dict[str, int], **more: Any) -> Body:
        """The whole response; `usage` as chats count it."""
        ended: Body = {
            "output": list(output),
            "completed_at": int(time.time()),
            "usage": {
                "input_tokens": usage["prompt_tokens"],
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": usage["completion_tokens"],
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage["total_tokens"],
            },
        }
        if status == "incomplete":
            ended["incomplete_details"] = {"reason": "max_output_tokens"}
        return self.body(status) | ended | more

    def body(self, status: str, /) -> Body:
        """What holds before anything is made."""
        asked = self.request
        form = asked.text.format if asked.text and asked.text.format else None
        choice = asked.tool_choice
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
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "top_logprobs": 0,
            "text": {"format": _format(form)},
            "tools": [tool.told for tool in asked.tools or ()],
            "tool_choice": choice.model_dump() if isinstance(choice, FlatChoice) else choice or "auto",
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


def _format(form: Any) -> Body:
    if form is None or form.type != "json_schema":
        return {"type": form.type} if form else TEXT
    named = form.json_schema
    return {
        "type": "json_schema", "name": named.name, "schema": named.rules, "description": named.description,
        "strict": True,
    }  # fmt: skip


def text_part(text: str, annotations: Sequence[Body] = (), /) -> Body:
    """A part of a message."""
    return {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}


def event_text(name: str, body: Body, /) -> str:
    """One server-sent event."""
    text = encode({"type": name, **body})
    return f"event: {name}\ndata: {text}\n\n"
