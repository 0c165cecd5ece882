"""The request of /v1/responses, in the Open Responses form, as far as a text system can honour it."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from genwright.serve.formats import ResponseFormat
from genwright.serve.schemas import ChatRequest, Message

Role = Literal["system", "developer", "user", "assistant"]


class ContentPart(BaseModel):
    """A text part of an item."""

    model_config = ConfigDict(extra="ignore", strict=True)
    type: Literal["input_text", "output_text", "text"]
    text: str


class Item(BaseModel):
    """One message. Clients send back what they were given, so ids and states are read over."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["message"] = "message"
    role: Role
    content: str | list[ContentPart]
    id: str | None = None
    status: str | None = None
    phase: str | None = None

    @property
    def text(self) -> str:
        """The content as one string."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class TextOptions(BaseModel):
    """The form of the answer."""

    model_config = ConfigDict(extra="forbid", strict=True)
    format: ResponseFormat | None = None
    verbosity: Literal["medium"] | None = None


class ResponsesRequest(BaseModel):
    """POST /v1/responses. The server keeps no answers: a conversation is sent whole."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())

    model: str
    input: str | Annotated[list[Item], Field(min_length=1, max_length=1000)]
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), le=2**63 - 1)
    stream: bool | None = None
    text: TextOptions | None = None
    previous_response_id: None = None
    truncation: Literal["disabled"] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    background: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    # Sent by clients for bookkeeping; these change no output.
    parallel_tool_calls: bool | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    include: list[str] | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    @model_validator(mode="after")
    def _ends_with_a_question(self) -> Self:
        if not isinstance(self.input, str) and not any(item.text for item in self.input):
            raise ValueError("input holds no text")
        return self

    def as_chat(self) -> ChatRequest:
        """The same request to /v1/chat/completions."""
        said = [{"role": "user", "content": self.input}] if isinstance(self.input, str) else [
            {"role": item.role, "content": item.text} for item in self.input
        ]  # fmt: skip
        if self.instructions is not None:
            said = [{"role": "system", "content": self.instructions}, *said]
        return ChatRequest(
            model=self.model,
            messages=[Message.model_validate(one) for one in said],
            max_completion_tokens=self.max_output_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stream=self.stream,
            response_format=self.text.format if self.text else None,
        )
