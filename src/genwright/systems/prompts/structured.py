"""Structured output: an answer that a JSON schema describes, enforced while it is written."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, field_validator

from genwright.core import Component
from genwright.core.digest import canonical_json
from genwright.systems.prompts.pattern import Call, Pattern, PatternConfig, Turns
from genwright.systems.requests import Chat


class StructuredConfig(PatternConfig):
    """`json_schema` is what an answer has to fit; `field` names the property that is the answer (None: all of it)."""

    kind: Literal["structured"] = "structured"
    json_schema: dict[str, Any]
    field: str | None = Field(default=None, min_length=1)

    @field_validator("json_schema")
    @classmethod
    def _is_object(cls, schema: dict[str, Any]) -> dict[str, Any]:
        if schema.get("type") != "object" or not schema.get("properties"):
            raise ValueError("describes no object with properties")
        return schema

    @property
    def written_schema(self) -> str:
        """The schema as text, the same for equal schemas."""
        return canonical_json(self.json_schema).decode()


class Structured(Pattern[StructuredConfig]):
    """One call under a grammar."""

    def turns(self, chat: Chat, /) -> Turns:
        """One call; an answer that was cut off has no field, and comes as it is."""
        field = self.config.field
        (text,) = yield Call(
            self.asked(chat), stop=self.config.stop, json_schema=self.config.written_schema, last=field is None
        )
        return text if field is None else _field(text, field)


def _field(text: str, field: str) -> str:
    try:
        found = json.loads(text)[field]
    except (ValueError, KeyError, TypeError):
        return text
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


STRUCTURED = Component("structured", StructuredConfig, "genwright.systems.prompts.structured:Structured")
