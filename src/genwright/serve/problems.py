"""Errors in OpenAI's shape: `{"error": {message, type, param, code}}`."""

from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from genwright.core.errors import CapabilityError, DataError, GenwrightError, SpecError
from genwright.serve.engine import EngineStoppedError, QueueFullError


class ApiError(GenwrightError):
    """A refusal with its HTTP status."""

    def __init__(self, status: int, message: str, /, *, code: str | None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.error_code, self.param = status, code, param


def error_body(message: str, /, *, kind: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def kind_of(status: int) -> str:
    """OpenAI's error type of an HTTP status."""
    if status == 401:
        return "authentication_error"
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"


def response(
    status: int, message: str, /, *, code: str | None = None, param: str | None = None, retry_after_s: int | None = None
) -> JSONResponse:
    """An error response."""
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s is not None else None
    return JSONResponse(error_body(message, kind=kind_of(status), code=code, param=param), status, headers=headers)


async def on_validation(request: Request, error: Exception) -> JSONResponse:
    """400 that names the field."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    param = ".".join(path) or None
    if first["type"] == "json_invalid":
        return response(
            400, f"the body is not valid JSON: {first.get('ctx', {}).get('error', '')}", code="invalid_json"
        )
    if first["type"] == "extra_forbidden":
        return response(400, f"'{param}' is unknown or not supported by this server", code="unsupported", param=param)
    return response(400, f"{param or 'body'}: {first['msg']}", code="invalid_value", param=param)


async def on_genwright(request: Request, error: Exception) -> JSONResponse:
    """The status that fits one of our errors."""
    assert isinstance(error, GenwrightError)
    if isinstance(error, ApiError):
        return response(error.status, error.message, code=error.error_code, param=error.param)
    if isinstance(error, QueueFullError):
        return response(429, error.message, code="queue_full", retry_after_s=1)
    if isinstance(error, EngineStoppedError):
        return response(503, error.message, code="engine_stopped", retry_after_s=5)
    if isinstance(error, CapabilityError | DataError | SpecError):
        return response(400, error.message, code="invalid_value")
    return response(500, error.message, code=error.code)


async def on_http(request: Request, error: Exception) -> JSONResponse:
    """Starlette's own refusals (404, 405) in the same shape."""
    assert isinstance(error, HTTPException)
    message = f"{error.detail}: {request.method} {request.url.path}"
    made = response(error.status_code, message, code="not_found" if error.status_code == 404 else None)
    made.headers.update(error.headers or {})
    return made
