"""The routes of the page: itself, a turn of the talk, a document, and the files that it is made of."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from genwright.core.errors import GenwrightError
from genwright.serve.engine import Engine, QueueFullError
from genwright.serve.grounded_engine import GroundedEngine
from genwright.serve.metrics import Metrics
from genwright.serve.page.guard import HEADERS, Tokens
from genwright.serve.page.talk import GroundedTalk, Talk, TextTalk
from genwright.serve.page.view import View, Within
from genwright.serve.problems import ApiError
from genwright.serve.served import Served
from genwright.systems.requests import Chat

STATIC = Path(__file__).parents[1] / "static"
MAX_FIELDS = 400
KEPT_MESSAGES = 40
SPAN = re.compile(r"^(\d{1,12})-(\d{1,12})$", re.ASCII)


def add_page(app: FastAPI, engine: Engine | GroundedEngine, /, *, metrics: Metrics, served: Served) -> None:
    """The page at `/`. The server keeps nothing of what is said: the page sends it along."""
    grounded = isinstance(engine, GroundedEngine)
    view, tokens = View(name=served.model, digest=served.digest, grounded=grounded), Tokens()
    talk: Talk
    if isinstance(engine, GroundedEngine):
        talk = GroundedTalk(engine, metrics=metrics, view=view)
        _document_route(app, engine, view=view)
    else:
        talk = TextTalk(engine, metrics=metrics, view=view, served=served)

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        response = HTMLResponse(view.chat(token=tokens.of(tokens.cookie(request))), headers=HEADERS)
        tokens.give(request, response)
        return response

    @app.post("/chat", include_in_schema=False)
    async def chat(request: Request) -> Response:
        try:
            fields = _fields(await request.body())
            tokens.check(request, dict(fields).get("token", ""))
            parts = talk.begin(said(fields), turn=(turn := secrets.token_hex(4)))
        except GenwrightError as error:
            shown = view.problem(error.message, hint=error.hint)
            return HTMLResponse(shown, _status(error), headers=HEADERS)
        return StreamingResponse(_events(parts, view, turn), media_type="text/event-stream", headers=HEADERS)

    app.mount("/static", StaticFiles(directory=STATIC))


def _document_route(app: FastAPI, engine: GroundedEngine, *, view: View) -> None:
    @app.get("/documents/{name:path}", include_in_schema=False)
    async def document(name: str, at: list[str] = Query(default=[], max_length=100)) -> Response:  # noqa: B008
        try:
            found = await asyncio.to_thread(engine.system.document, name)
        except GenwrightError as error:
            return HTMLResponse(view.missing(error.message), 404, headers=HEADERS)
        return HTMLResponse(view.document(found, spans=_spans(at)), headers=HEADERS)


def _spans(at: list[str]) -> list[Within]:
    matches = (SPAN.match(one) for one in at)
    return [(int(found[1]), int(found[2])) for found in matches if found]


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise ApiError(400, f"the form cannot be read: {error}", code="invalid_value") from None


def said(fields: list[tuple[str, str]], /) -> Chat:
    """What was said, in order, with the question last; of a long talk only the last messages.

    Raises:
        ApiError: there is no question.
    """
    questions = [value for name, value in fields if name == "question" and value.strip()]
    if len(questions) != 1:
        raise ApiError(400, "there is no question", code="invalid_value", param="question")
    earlier = [(name, value) for name, value in fields if name in ("user", "assistant")][-KEPT_MESSAGES:]
    return (*earlier, ("user", questions[0].replace("\r\n", "\n").strip()))


def _status(error: GenwrightError) -> int:
    if isinstance(error, ApiError):
        return error.status
    return 429 if isinstance(error, QueueFullError) else 400 if error.exit_code == 2 else 503


async def _events(parts: AsyncIterator[str], view: View, turn: str) -> AsyncIterator[str]:
    """Server-sent events of HTML; an error after the first one is shown in the turn."""
    try:
        async for part in parts:
            yield event_of(part)
    except GenwrightError as error:
        yield event_of(view.part("failed", turn, error.message, error.hint))


def event_of(html: str, /) -> str:
    """One unnamed server-sent event; its lines end where the text's do."""
    lines = re.split(r"\r\n|\r|\n", html)
    return "".join(f"data: {line}\n" for line in lines) + "\n"
