"""The OpenAI-compatible API over one system."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from genwright import __version__
from genwright.core.errors import DataError, GenwrightError
from genwright.serve.answer import Answer, Limits, submit
from genwright.serve.embeddings import EmbeddingRequest, embedding_body
from genwright.serve.engine import Engine
from genwright.serve.limits import Guard
from genwright.serve.metrics import Metrics
from genwright.serve.problems import ApiError, on_genwright, on_http, on_validation
from genwright.serve.response_schemas import ResponsesRequest
from genwright.serve.responses import ResponseAnswer
from genwright.serve.schemas import ChatRequest, CompletionRequest


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


def create_app(engine: Engine, /, *, served: Served) -> FastAPI:
    """The ASGI application; the engine runs while the application does."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine.start()
        yield
        engine.stop()

    app = FastAPI(title="Genwright", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(Guard, keys=served.keys, max_body_bytes=served.max_body_bytes)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(GenwrightError, on_genwright)
    app.add_exception_handler(HTTPException, on_http)
    metrics = Metrics(engine)
    _observe(app, metrics)
    _state_routes(app, engine, metrics)
    _model_routes(app, served)
    _generation_routes(app, engine, metrics=metrics, served=served)
    _embedding_routes(app, engine, served=served)
    return app


def _observe(app: FastAPI, metrics: Metrics) -> None:
    @app.middleware("http")
    async def observe(request: Request, call_next: Callable[[Request], Any]) -> Response:
        started = time.monotonic()
        answered: Response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "unknown")
        metrics.requests.labels(route, str(answered.status_code)).inc()
        metrics.duration.labels(route).observe(time.monotonic() - started)
        return answered


def _state_routes(app: FastAPI, engine: Engine, metrics: Metrics) -> None:
    @app.get("/health", responses={503: {"model": dict[str, Any]}})
    async def health() -> JSONResponse:
        active, waiting = engine.load
        body = {"status": "ok" if engine.healthy else "stopped", "active": active, "waiting": waiting}
        return JSONResponse(body, 200 if engine.healthy else 503)

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")


def _model_routes(app: FastAPI, served: Served) -> None:
    entry = {
        "id": served.model,
        "object": "model",
        "created": served.created,
        "owned_by": "genwright",
        "digest": served.digest,
    }

    @app.get("/v1/models", responses=REFUSALS)
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [entry]}

    @app.get("/v1/models/{name}", responses=REFUSALS)
    async def model(name: str) -> dict[str, Any]:
        _known(name, served)
        return entry


def _known(name: str, served: Served) -> None:
    if name not in (served.model, served.digest):
        message = f"model '{name}' is not served here; the only model is '{served.model}'"
        raise ApiError(404, message, code="model_not_found", param="model")


def _generation_routes(app: FastAPI, engine: Engine, *, metrics: Metrics, served: Served) -> None:
    async def respond(
        request: CompletionRequest | ChatRequest, encoded: Sequence[tuple[int, ...]], *, prompts: Sequence[str] = ()
    ) -> Response:
        answer: Answer = submit(
            request, encoded=encoded, prompts=prompts, engine=engine, metrics=metrics, limits=served.limits
        )
        if request.stream:
            return StreamingResponse(answer.events(), media_type="text/event-stream")
        return JSONResponse(await answer.whole())

    @app.post("/v1/completions", responses=REFUSALS | STREAMED, response_model=None)
    async def completions(request: CompletionRequest) -> Response:
        _known(request.model, served)
        encoded = [engine.system.encode_prompt(prompt) for prompt in request.prompts]
        return await respond(request, encoded, prompts=request.prompts)

    def encoded_chat(request: ChatRequest) -> list[tuple[int, ...]]:
        try:
            return [engine.system.encode_chat(request.turns)]
        except DataError as error:
            raise ApiError(400, error.message, code="invalid_value", param="messages") from None

    @app.post("/v1/chat/completions", responses=REFUSALS | STREAMED, response_model=None)
    async def chat(request: ChatRequest) -> Response:
        _known(request.model, served)
        return await respond(request, encoded_chat(request))

    @app.post("/v1/responses", responses=REFUSALS | STREAMED, response_model=None)
    async def responses(request: ResponsesRequest) -> Response:
        _known(request.model, served)
        asked = request.as_chat()
        encoded = encoded_chat(asked)
        answer = submit(asked, encoded=encoded, engine=engine, metrics=metrics, limits=served.limits)
        made = ResponseAnswer(request, answer)
        if request.stream:
            return StreamingResponse(made.events(), media_type="text/event-stream")
        return JSONResponse(await made.whole())


def _embedding_routes(app: FastAPI, engine: Engine, *, served: Served) -> None:
    one_at_a_time = asyncio.Lock()

    @app.post("/v1/embeddings", responses=REFUSALS, response_model=None)
    async def embeddings(request: EmbeddingRequest) -> Response:
        _known(request.model, served)
        if not hasattr(engine.system, "embed"):
            raise ApiError(400, "this system embeds no texts", code="unsupported")
        async with one_at_a_time:
            vectors, num_tokens = await asyncio.to_thread(engine.system.embed, request.texts)
        return JSONResponse(embedding_body(request, vectors, num_tokens=num_tokens))
