"""What is said in a request of /v1/responses: messages, calls that were made, and what came of them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from genwright.serve.tools import NAME, Choice, Function, NamedChoice, NamedFunction, Tool

Role = Literal["system", "developer", "user", "assistant"]
STATES = Literal["in_progress", "completed", "incomplete"]


class ContentPart(BaseModel):
    """A text part of an item."""

    model_config = ConfigDict(extra="ignore", strict=True)
    type: Literal["input_text", "output_text", "text"]
    text: str


Text = str | list[ContentPart]


def text_of(content: Text, /) -> str:
    """The content as one string."""
    return content if isinstance(content, str) else "".join(part.text for part in content)


class Item(BaseModel):
    """One message. Clients send back what they were given, so ids and states are read over."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["message"] = "message"
    role: Role
    content: Text
    id: str | None = None
    status: str | None = None
    phase: str | None = None

    @property
    def message(self) -> dict[str, Any]:
        """As a chat says it."""
        return {"role": self.role, "content": text_of(self.content)}


class CallItem(BaseModel):
    """A call that the assistant made."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["function_call"]
    call_id: str
    name: Annotated[str, Field(pattern=NAME)]
    arguments: str
    id: str | None = None
    status: STATES | None = None

    @property
    def message(self) -> dict[str, Any]:
        """As a chat says it."""
        called = {"name": self.name, "arguments": self.arguments}
        return {"role": "assistant", "tool_calls": [{"id": self.call_id, "type": "function", "function": called}]}


class OutputItem(BaseModel):
    """What a call came to."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["function_call_output"]
    call_id: str
    output: Text
    id: str | None = None
    status: STATES | None = None

    @property
    def message(self) -> dict[str, Any]:
        """As a chat says it."""
        return {"role": "tool", "tool_call_id": self.call_id, "content": text_of(self.output)}


def _kind(item: Any) -> str:
    kind = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)
    return kind if kind in ("function_call", "function_call_output") else "message"


AnyItem = Annotated[
    Annotated[Item, Tag("message")]
    | Annotated[CallItem, Tag("function_call")]
    | Annotated[OutputItem, Tag("function_call_output")],
    Discriminator(_kind),
]


class FlatTool(BaseModel):
    """A function as responses name it: flat."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["function"]
    name: Annotated[str, Field(pattern=NAME)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @property
    def tool(self) -> Tool:
        """As a chat names it."""
        return Tool(type="function", function=Function(**self.model_dump(exclude={"type"})))

    @property
    def told(self) -> dict[str, Any]:
        """As an answer repeats it: arguments always fit the schema."""
        return {**self.model_dump(), "strict": True}


class FlatChoice(BaseModel):
    """One function that has to be called."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["function"]
    name: str

    @property
    def choice(self) -> NamedChoice:
        """As a chat names it."""
        return NamedChoice(type="function", function=NamedFunction(name=self.name))


AnyChoice = Literal["none", "auto", "required"] | FlatChoice


def chat_choice_of(choice: AnyChoice | None, /) -> Choice | None:
    """As a chat names it."""
    return choice.choice if isinstance(choice, FlatChoice) else choice


def call_items(calls: Sequence[dict[str, Any]], /) -> list[dict[str, Any]]:
    """The items of calls as a chat holds them."""
    return [
        {
            "type": "function_call",
            "id": "fc_" + call["id"].removeprefix("call_"),
            "call_id": call["id"],
            "name": call["function"]["name"],
            "arguments": call["function"]["arguments"],
            "status": "completed",
        }
        for call in calls
    ]


def call_events(item: dict[str, Any], /, *, index: int) -> list[tuple[str, dict[str, Any]]]:
    """The events of a call that is sent whole."""
    at = {"item_id": item["id"], "output_index": index}
    begun = {**item, "arguments": "", "status": "in_progress"}
    whole = {"name": item["name"], "arguments": item["arguments"]}
    return [
        ("response.output_item.added", {"output_index": index, "item": begun}),
        ("response.function_call_arguments.delta", {**at, "delta": item["arguments"]}),
        ("response.function_call_arguments.done", {**at, **whole}),
        ("response.output_item.done", {"output_index": index, "item": item}),
    ]
