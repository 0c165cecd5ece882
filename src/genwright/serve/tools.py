"""Tool calls: the answer is forced into the form of a call, or of an answer in words, and read back.

The form is one of our own, `{"name": ..., "arguments": ...}` or `{"answer": ...}`: templates of models differ in
theirs, and what a grammar enforces works with every model.
"""

import json
import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from genwright.serve.formats import closed

CALLABLE = "You can call these functions:\n{functions}\nAnswer with JSON: {forms}."
A_CALL, IN_WORDS = '{"name": ..., "arguments": {...}} to call one', '{"answer": "..."} to answer in words'
NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}
NAME = r"^[A-Za-z0-9_-]{1,64}$"


class Function(BaseModel):
    """What may be called. Arguments always fit the schema, so `strict` changes nothing."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(pattern=NAME)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(BaseModel):
    """A function as chat completions name it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["function"]
    function: Function


class NamedFunction(BaseModel):
    """The name of one."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str


class NamedChoice(BaseModel):
    """One function that has to be called."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["function"]
    function: NamedFunction


class CalledFunction(BaseModel):
    """A call that was made; `arguments` is JSON."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    arguments: str


class ToolCall(BaseModel):
    """A call in a message of the assistant, as clients send it back."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: str
    type: Literal["function"]
    function: CalledFunction

    @property
    def text(self) -> str:
        """The call in the form that the model wrote."""
        return f'{{"name": {json.dumps(self.function.name)}, "arguments": {self.function.arguments}}}'


Choice = Literal["none", "auto", "required"] | NamedChoice


def schema_of(tools: Sequence[Tool], choice: Choice, /) -> str:
    """What an answer may be: a call of one of the functions, or with "auto" words too."""
    names = {choice.function.name} if isinstance(choice, NamedChoice) else {tool.function.name for tool in tools}
    forms = [_form(tool.function) for tool in tools if tool.function.name in names]
    if choice == "auto":
        words = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
        forms.append({**words, "additionalProperties": False})
    return json.dumps({"anyOf": forms} if len(forms) > 1 else forms[0])


def _form(function: Function) -> dict[str, Any]:
    parts = {"name": {"const": function.name}, "arguments": closed(function.parameters or NO_PARAMETERS)}
    return {"type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}


def instruction(tools: Sequence[Tool], choice: Choice, /) -> str:
    """What the model is told of the functions."""
    listed = "\n".join(json.dumps(tool.function.model_dump(exclude_none=True, exclude={"strict"})) for tool in tools)
    forms = f"{A_CALL}, or {IN_WORDS}" if choice == "auto" else A_CALL
    return CALLABLE.format(functions=listed, forms=forms)


def read_answer(text: str, /) -> tuple[str | None, list[dict[str, Any]]]:
    """(words, calls) of an answer; one that was cut off is no call, and is given as it is."""
    try:
        found = json.loads(text)
    except ValueError:
        return text, []
    if "answer" in found:
        return str(found["answer"]), []
    called = {"name": found["name"], "arguments": json.dumps(found["arguments"])}
    return None, [{"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": called}]
