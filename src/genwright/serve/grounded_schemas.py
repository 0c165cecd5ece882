"""What may be asked of a grounded system; what would change an answer that was evaluated is refused, never ignored."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from genwright.serve.problems import ApiError
from genwright.serve.response_schemas import ResponsesRequest
from genwright.serve.schemas import ChatRequest
from genwright.systems.requests import Chat

Values = Annotated[list[Annotated[str, Field(max_length=2000)]], Field(min_length=1, max_length=100)]
Filters = dict[Annotated[str, Field(pattern="^(source|document|title|path)$")], Values]
FIXED = "top_k", "min_p", "repetition_penalty", "stop", "logprobs", "top_logprobs", "tools", "tool_choice"
AS_SENT_BY_DEFAULT = {"temperature": (1,), "top_p": (1,), "n": (1,)}


class GroundedChatRequest(ChatRequest):
    """POST /v1/chat/completions. `filters` keep documents whose field is one of the values."""

    filters: Filters | None = None

    @model_validator(mode="after")
    def _asks_what_can_be_had(self) -> Self:
        _refuse(self, FIXED)
        if self.response_format and self.response_format.json_schema_text:
            raise ApiError(400, "answers are sentences, no JSON", code="unsupported", param="response_format")
        return self


class GroundedResponsesRequest(ResponsesRequest):
    """POST /v1/responses, likewise."""

    filters: Filters | None = None

    @model_validator(mode="after")
    def _asks_what_can_be_had(self) -> Self:
        _refuse(self, ("tools",))
        if self.text and self.text.format and self.text.format.json_schema_text:
            raise ApiError(400, "answers are sentences, no JSON", code="unsupported", param="text.format")
        return self


def _refuse(request: Any, names: tuple[str, ...], /) -> None:
    values = {name: getattr(request, name, None) for name in (*names, *AS_SENT_BY_DEFAULT)}
    for name, value in values.items():
        if value and value != "none" and value not in AS_SENT_BY_DEFAULT.get(name, ()):
            message = f"'{name}' is {value!r}; this system answers from documents as it was evaluated"
            raise ApiError(400, message, code="unsupported", param=name)


def question_of(turns: list[tuple[str, str]], /) -> tuple[str, Chat]:
    """(the question, what was said before it).

    Raises:
        ApiError: the last message is not the user's, or is empty.
    """
    role, text = turns[-1]
    if role != "user" or not text.strip():
        raise ApiError(400, "the last message must be the user's question", code="invalid_value", param="messages")
    earlier = [("system" if role == "developer" else role, text) for role, text in turns[:-1]]
    return text, tuple(earlier)
