"""The form that an answer may be asked to have: text, any JSON object, or JSON of a schema."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

ANY_OBJECT = json.dumps({"type": "object"})
OPEN_WORDS = {
    "additionalProperties", "patternProperties", "unevaluatedProperties", "propertyNames", "minProperties",
    "allOf", "anyOf", "oneOf", "not", "if", "$ref", "dependentSchemas",
}  # fmt: skip


def closed(schema: Any, /) -> Any:
    """The schema without properties that it neither names nor forbids: small models would not stop making them up.

    What fits it fits the schema. Schemas that are put together of others are left as they are.
    """
    if not isinstance(schema, dict):
        return schema
    inner: dict[str, Any] = {}
    if isinstance(schema.get("properties"), dict):
        inner["properties"] = {name: closed(one) for name, one in schema["properties"].items()}
        if not OPEN_WORDS & schema.keys():
            inner["additionalProperties"] = False
    if "items" in schema:
        inner["items"] = closed(schema["items"])
    return schema | inner


class TextFormat(BaseModel):
    """Plain text."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["text"]

    @property
    def json_schema_text(self) -> None:
        """No schema."""
        return


class JsonObjectFormat(BaseModel):
    """Any JSON object."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["json_object"]

    @property
    def json_schema_text(self) -> str:
        """The schema of all objects."""
        return ANY_OBJECT


class NamedSchema(BaseModel):
    """A schema with its name. It is always enforced, so `strict` changes nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "answer"
    description: str | None = None
    rules: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class JsonSchemaFormat(BaseModel):
    """JSON that fits a schema: nested as in chat completions, or flat as in responses."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["json_schema"]
    json_schema: NamedSchema

    @model_validator(mode="before")
    @classmethod
    def _nest(cls, given: Any) -> Any:
        if isinstance(given, dict) and "schema" in given and "json_schema" not in given:
            return {"type": given.get("type"), "json_schema": {k: v for k, v in given.items() if k != "type"}}
        return given

    @property
    def json_schema_text(self) -> str:
        """The schema as JSON."""
        return json.dumps(closed(self.json_schema.rules))


ResponseFormat = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
