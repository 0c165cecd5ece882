"""What is served and under which limits, and what every route may answer with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from genwright.serve.answer import Limits
from genwright.serve.problems import ApiError


@dataclass(frozen=True)
class Served:
    """What is served, and under which limits. `model` is the name that requests must give."""

    model: str
    digest: str
    created: int = 0
    keys: Sequence[str] = ()
    max_body_bytes: int = 1 << 20
    limits: Limits = field(default_factory=Limits)


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every refusal."""

    error: ErrorDetail


STATUSES = (400, 401, 404, 413, 429, 500, 503)
REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorBody} for status in STATUSES}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One JSON body, or server-sent events with stream = true",
        "content": {"text/event-stream": {}},
    }
}


def check_name(name: str, served: Served, /) -> None:
    """Passes where `name` is what is served.

    Raises:
        ApiError: it is not.
    """
    if name not in (served.model, served.digest):
        message = f"model '{name}' is not served here; the only model is '{served.model}'"
        raise ApiError(404, message, code="model_not_found", param="model")
