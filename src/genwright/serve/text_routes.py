"""The routes of a system that continues texts and answers chats."""

import asyncio
from collections.abc import Sequence

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, StreamingResponse

from genwright.core.errors import DataError
from genwright.serve.answer import Answer, submit
from genwright.serve.embeddings import EmbeddingRequest, embedding_body
from genwright.serve.engine import Engine
from genwright.serve.metrics import Metrics
from genwright.serve.problems import ApiError
from genwright.serve.response_schemas import ResponsesRequest
from genwright.serve.responses import ResponseAnswer
from genwright.serve.schemas import ChatRequest, CompletionRequest
from genwright.serve.served import REFUSALS, STREAMED, Served, check_name

EVENTS = "text/event-stream"


def encoded_chat(request: ChatRequest, /, *, engine: Engine) -> list[tuple[int, ...]]:
    """The tokens of what was said.

    Raises:
        ApiError: the model's template does not take these messages.
    """
    try:
        return [engine.system.encode_chat(request.turns)]
    except DataError as error:
        raise ApiError(400, error.message, code="invalid_value", param="messages") from None


def add_text_routes(app: FastAPI, engine: Engine, /, *, metrics: Metrics, served: Served) -> None:
    """Completions, chats, responses and embeddings over the engine's decoder."""

    def begin(
        request: CompletionRequest | ChatRequest, encoded: Sequence[tuple[int, ...]], *, prompts: Sequence[str] = ()
    ) -> Answer:
        return submit(request, encoded=encoded, prompts=prompts, engine=engine, metrics=metrics, limits=served.limits)

    async def told(answer: Answer | ResponseAnswer, *, stream: bool | None) -> Response:
        if stream:
            return StreamingResponse(answer.events(), media_type=EVENTS)
        return JSONResponse(await answer.whole())

    @app.post("/v1/completions", responses=REFUSALS | STREAMED, response_model=None)
    async def completions(request: CompletionRequest) -> Response:
        check_name(request.model, served)
        encoded = [engine.system.encode_prompt(prompt) for prompt in request.prompts]
        return await told(begin(request, encoded, prompts=request.prompts), stream=request.stream)

    @app.post("/v1/chat/completions", responses=REFUSALS | STREAMED, response_model=None)
    async def chat(request: ChatRequest) -> Response:
        check_name(request.model, served)
        return await told(begin(request, encoded_chat(request, engine=engine)), stream=request.stream)

    @app.post("/v1/responses", responses=REFUSALS | STREAMED, response_model=None)
    async def responses(request: ResponsesRequest) -> Response:
        check_name(request.model, served)
        asked = request.as_chat()
        made = ResponseAnswer(request, begin(asked, encoded_chat(asked, engine=engine)))
        return await told(made, stream=request.stream)

    _embedding_route(app, engine, served=served)


def _embedding_route(app: FastAPI, engine: Engine, *, served: Served) -> None:
    one_at_a_time = asyncio.Lock()

    @app.post("/v1/embeddings", responses=REFUSALS, response_model=None)
    async def embeddings(request: EmbeddingRequest) -> Response:
        check_name(request.model, served)
        if not hasattr(engine.system, "embed"):
            raise ApiError(400, "this system embeds no texts", code="unsupported")
        async with one_at_a_time:
            vectors, num_tokens = await asyncio.to_thread(engine.system.embed, request.texts)
        return JSONResponse(embedding_body(request, vectors, num_tokens=num_tokens))
