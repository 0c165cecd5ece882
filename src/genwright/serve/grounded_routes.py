"""The routes of a system that answers from documents."""

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, StreamingResponse

from genwright.serve.grounded_answers import GroundedChat, GroundedResponse, Told
from genwright.serve.grounded_engine import Asked, Filters, GroundedEngine
from genwright.serve.grounded_schemas import GroundedChatRequest, GroundedResponsesRequest, question_of
from genwright.serve.metrics import Metrics
from genwright.serve.problems import ApiError
from genwright.serve.schemas import ChatRequest
from genwright.serve.served import REFUSALS, STREAMED, Served, check_name
from genwright.serve.wire import Envelope


def add_grounded_routes(app: FastAPI, engine: GroundedEngine, /, *, metrics: Metrics, served: Served) -> None:
    """Chats and responses; what needs a language model alone is refused."""

    def begin(chat: ChatRequest, filters: Filters | None) -> Asked:
        question, history = question_of(chat.turns)
        ask = engine.stream if chat.stream else engine.ask
        return ask(question, history=history, filters=filters)

    async def told(answer: Told, *, stream: bool | None) -> Response:
        if stream:
            return StreamingResponse(answer.events(), media_type="text/event-stream")
        return JSONResponse(await answer.whole())

    @app.post("/v1/chat/completions", responses=REFUSALS | STREAMED, response_model=None)
    async def chat(request: GroundedChatRequest) -> Response:
        check_name(request.model, served)
        envelope = Envelope("chat.completion", request.model)
        answer = GroundedChat(begin(request, request.filters), metrics, request, envelope)
        return await told(answer, stream=request.stream)

    @app.post("/v1/responses", responses=REFUSALS | STREAMED, response_model=None)
    async def responses(request: GroundedResponsesRequest) -> Response:
        check_name(request.model, served)
        answer = GroundedResponse(begin(request.as_chat(), request.filters), metrics, request)
        return await told(answer, stream=request.stream)

    @app.post("/v1/completions", responses=REFUSALS, response_model=None)
    async def completions() -> Response:
        raise ApiError(400, "this system answers questions and continues no text", code="unsupported")

    @app.post("/v1/embeddings", responses=REFUSALS, response_model=None)
    async def embeddings() -> Response:
        raise ApiError(400, "this system embeds no texts", code="unsupported")
