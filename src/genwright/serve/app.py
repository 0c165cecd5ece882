"""The OpenAI-compatible API over one system, and the page to talk with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from genwright import __version__
from genwright.core.errors import GenwrightError
from genwright.serve.engine import Engine
from genwright.serve.grounded_engine import GroundedEngine
from genwright.serve.grounded_routes import add_grounded_routes
from genwright.serve.limits import Guard
from genwright.serve.metrics import Metrics, Observer
from genwright.serve.page.routes import add_page
from genwright.serve.problems import on_genwright, on_http, on_validation
from genwright.serve.served import REFUSALS, Served, check_name
from genwright.serve.text_routes import add_text_routes

__all__ = ["Served", "create_app"]


def create_app(engine: Engine | GroundedEngine, /, *, served: Served) -> FastAPI:
    """The ASGI application; the engine runs while the application does."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine.start()
        yield
        engine.stop()

    app = FastAPI(title="Genwright", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    metrics = Metrics(engine)
    app.add_middleware(Observer, metrics=metrics)
    app.add_middleware(Guard, keys=served.keys, max_body_bytes=served.max_body_bytes)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(GenwrightError, on_genwright)
    app.add_exception_handler(HTTPException, on_http)
    _state_routes(app, engine, metrics)
    _model_routes(app, served)
    if isinstance(engine, GroundedEngine):
        add_grounded_routes(app, engine, metrics=metrics, served=served)
    else:
        add_text_routes(app, engine, metrics=metrics, served=served)
    add_page(app, engine, metrics=metrics, served=served)
    return app


def _state_routes(app: FastAPI, engine: Engine | GroundedEngine, metrics: Metrics) -> None:
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
        check_name(name, served)
        return entry
