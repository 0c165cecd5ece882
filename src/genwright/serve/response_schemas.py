"""The request of /v1/responses, in the Open Responses form, as far as a text system can honour it."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from genwright.serve.formats import ResponseFormat
from genwright.serve.parts import refuse_other_items
from genwright.serve.response_items import AnyChoice, AnyItem, FlatTool, chat_choice_of
from genwright.serve.schemas import ChatRequest, Message


class TextOptions(BaseModel):
    """The form of the answer."""

    model_config = ConfigDict(extra="forbid", strict=True)
    format: ResponseFormat | None = None
    verbosity: Literal["medium"] | None = None


class ResponsesRequest(BaseModel):
    """POST /v1/responses. The server keeps no answers: a conversation is sent whole."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())

    model: str
    input: str | Annotated[list[AnyItem], Field(min_length=1, max_length=1000)]
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), le=2**63 - 1)
    stream: bool | None = None
    text: TextOptions | None = None
    previous_response_id: None = None
    truncation: Literal["disabled"] | None = None
    tools: Annotated[list[FlatTool], Field(max_length=128)] | None = None
    tool_choice: AnyChoice | None = None
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

    @model_validator(mode="before")
    @classmethod
    def _is_of_text(cls, given: Any) -> Any:
        refuse_other_items(given)
        return given

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(one.get("content") or one.get("tool_calls") for one in self._said):
            raise ValueError("input holds no text")
        try:
            self.as_chat()
        except ValidationError as error:  # what a chat cannot ask for, a response cannot either
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return self

    @property
    def _said(self) -> list[dict[str, Any]]:
        if isinstance(self.input, str):
            return [{"role": "user", "content": self.input}]
        return [item.message for item in self.input]

    def as_chat(self) -> ChatRequest:
        """The same request to /v1/chat/completions."""
        told = [] if self.instructions is None else [{"role": "system", "content": self.instructions}]
        return ChatRequest(
            model=self.model,
            messages=[Message.model_validate(one) for one in (*told, *self._said)],
            max_completion_tokens=self.max_output_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stream=self.stream,
            response_format=self.text.format if self.text else None,
            tools=[one.tool for one in self.tools] if self.tools else None,
            tool_choice=chat_choice_of(self.tool_choice),
        )
