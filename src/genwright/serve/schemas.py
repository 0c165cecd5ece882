"""The requests of the OpenAI API that a text-only system can honour; anything else is refused, never ignored."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from genwright.serve.formats import ResponseFormat
from genwright.serve.parts import refuse_other_parts
from genwright.serve.tools import Choice, NamedChoice, Tool, ToolCall, instruction, schema_of

MAX_PROMPTS = 32
MAX_CHOICES = 16
MAX_STOPS = 4
Stop = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=MAX_STOPS)]


class StreamOptions(BaseModel):
    """What a stream carries besides text."""

    model_config = ConfigDict(extra="forbid")
    include_usage: bool = False
    include_obfuscation: bool = False


class GenerationRequest(BaseModel):
    """What completions and chat share. Ranges are those of the OpenAI reference."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())

    model: str
    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    n: int | None = Field(default=None, ge=1, le=MAX_CHOICES)
    seed: int | None = Field(default=None, ge=-(2**63), le=2**63 - 1)
    stop: Annotated[str, Field(min_length=1, max_length=200)] | Stop | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    presence_penalty: Literal[0] | Annotated[float, Field(ge=0, le=0)] | None = None
    frequency_penalty: Literal[0] | Annotated[float, Field(ge=0, le=0)] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    # Sent by clients for bookkeeping; these change no output.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    @model_validator(mode="after")
    def _options_need_a_stream(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options is allowed only with stream = true")
        return self

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())


class CompletionRequest(GenerationRequest):
    """POST /v1/completions."""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=MAX_PROMPTS)] = ""
    logprobs: int | None = Field(default=None, ge=0, le=5)
    echo: bool | None = None
    best_of: int | None = Field(default=None, ge=1, le=MAX_CHOICES)

    @model_validator(mode="after")
    def _best_of_is_n(self) -> Self:
        if self.best_of is not None and self.best_of != (self.n or 1):
            raise ValueError("best_of other than n is not supported")
        if self.echo and self.logprobs is not None:
            raise ValueError("echo together with logprobs is not supported")
        return self

    @property
    def prompts(self) -> list[str]:
        """The prompts."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


class TextPart(BaseModel):
    """A text part of a message."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(extra="forbid", strict=True)
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    # Clients send back what they were given, these too.
    refusal: None = None
    annotations: list[Any] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and not self.tool_calls:
            raise ValueError("a message needs content, or calls of tools")
        if self.tool_calls and self.role != "assistant":
            raise ValueError("tool_calls are of the assistant")
        return self

    @property
    def text(self) -> str:
        """The content as one string; a call stands in the form that the model wrote."""
        if self.content is None:
            return "\n".join(call.text for call in self.tool_calls or ())
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)

    @property
    def turn(self) -> tuple[str, str]:
        """(role, text); what a tool gave back is told by the user, since most templates know no tools."""
        return ("user", f"Result: {self.text}") if self.role == "tool" else (self.role, self.text)


class ChatRequest(GenerationRequest):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)]
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: Choice | None = None
    parallel_tool_calls: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_of_text(cls, given: Any) -> Any:
        refuse_other_parts(given)
        return given

    @model_validator(mode="after")
    def _top_needs_logprobs(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs is allowed only with logprobs = true")
        return self

    @model_validator(mode="after")
    def _tools_fit(self) -> Self:
        names = [tool.function.name for tool in self.tools or ()]
        if isinstance(self.tool_choice, NamedChoice) and self.tool_choice.function.name not in names:
            raise ValueError(f"tool_choice names '{self.tool_choice.function.name}', which is none of the tools")
        if self.tool_choice == "required" and not names:
            raise ValueError("tool_choice 'required' needs tools")
        if self.with_tools and self.response_format and self.response_format.json_schema_text:
            raise ValueError("tools and a JSON response_format together are not supported")
        return self

    @property
    def with_tools(self) -> bool:
        """Whether the answer may be a call."""
        return bool(self.tools) and self.tool_choice != "none"

    @property
    def turns(self) -> list[tuple[str, str]]:
        """(role, text) of all that is said, the tools among it."""
        said = [message.turn for message in self.messages]
        if not self.with_tools:
            return said
        told = instruction(self.tools or (), self.tool_choice or "auto")
        if said[0][0] in ("system", "developer"):
            return [(said[0][0], f"{said[0][1]}\n\n{told}"), *said[1:]]
        return [("system", told), *said]

    @property
    def json_schema(self) -> str | None:
        """What the answer has to fit."""
        if self.with_tools:
            return schema_of(self.tools or (), self.tool_choice or "auto")
        return self.response_format.json_schema_text if self.response_format else None
