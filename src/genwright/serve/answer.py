"""From a validated request to its answer, whole or streamed."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from genwright.core.errors import CapabilityError, GenwrightError
from genwright.families import SamplingConfig
from genwright.families.decoding import DecodeRequest
from genwright.serve.engine import Engine, Job, Piece
from genwright.serve.metrics import Metrics
from genwright.serve.pattern_job import PatternJob
from genwright.serve.problems import ApiError, error_body
from genwright.serve.schemas import ChatRequest, CompletionRequest, GenerationRequest
from genwright.serve.tools import read_answer
from genwright.serve.wire import Envelope, chat_choice, chat_delta, completion_choice, encode, usage, with_calls
from genwright.systems.prompts.pattern import Call


@dataclass(frozen=True)
class Limits:
    """What one request may ask for."""

    max_tokens: int = 2048
    default_tokens: int = 256


@dataclass
class Answer:
    """The choices of one request: `jobs[i]` makes choice i, all share batches."""

    request: CompletionRequest | ChatRequest
    jobs: Sequence[Job | PatternJob]
    prompt_tokens: int
    prompts: list[str]
    envelope: Envelope
    metrics: Metrics
    sampling: SamplingConfig
    started: float = field(default_factory=time.monotonic)
    completion_tokens: int = 0

    @property
    def is_chat(self) -> bool:
        """Whether this answers a chat."""
        return isinstance(self.request, ChatRequest)

    @property
    def with_logprobs(self) -> bool:
        """Whether log-probabilities were asked for."""
        return _wants_logprobs(self.request)

    @property
    def with_tools(self) -> bool:
        """Whether the answer may be a call."""
        return isinstance(self.request, ChatRequest) and self.request.with_tools

    def usage(self) -> dict[str, Any]:
        """Tokens that were read and made; under a prompt pattern those of all its calls."""
        patterns = [job for job in self.jobs if isinstance(job, PatternJob)]
        read = sum(job.prompt_tokens for job in patterns) or self.prompt_tokens
        return usage(read, self.completion_tokens + sum(job.hidden_tokens for job in patterns))

    def _prefix(self, index: int) -> str:
        echo = isinstance(self.request, CompletionRequest) and self.request.echo
        return self.prompts[index // (self.request.n or 1)] if echo else ""

    def _counted(self, batch: list[Piece]) -> list[Piece]:
        if self.completion_tokens == 0:
            self.metrics.first_token.observe(time.monotonic() - self.started)
        self.completion_tokens += len(batch)
        self.metrics.completion_tokens.inc(len(batch))
        return batch

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        for job in self.jobs:
            job.cancelled = True

    # --- whole -----------------------------------------------------------------------------------------------

    async def whole(self) -> dict[str, Any]:
        """The whole answer."""
        try:
            choices = await asyncio.gather(*(self._choice(index, job) for index, job in enumerate(self.jobs)))
        finally:
            self.cancel()
        return self.envelope.body(choices, usage=self.usage())

    async def _choice(self, index: int, job: Job | PatternJob) -> dict[str, Any]:
        pieces = [piece async for batch in job.batches() for piece in self._counted(batch)]
        text = self._prefix(index) + "".join(piece.text for piece in pieces)
        make = chat_choice if self.is_chat else completion_choice
        made = make(index, text, pieces, finish=pieces[-1].finish_reason, with_logprobs=self.with_logprobs)
        return with_calls(made) if self.with_tools else made

    # --- streamed --------------------------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[str]:
        """Server-sent events; an error after the first byte becomes the last event."""
        try:
            async for chunk in self._chunks():
                yield chunk
        except GenwrightError as error:
            yield f"data: {encode(error_body(error.message, kind='server_error', code=error.code))}\n\n"
        finally:
            self.cancel()

    async def _chunks(self) -> AsyncIterator[str]:
        """Events as they become ready; those that are ready together are one write."""
        options = self.request.stream_options
        more: dict[str, Any] = {"usage": None} if options and options.include_usage else {}
        if self.is_chat:
            roles = [self._delta(index, {"role": "assistant", "content": ""}) for index in range(len(self.jobs))]
            yield "".join(self.envelope.event([choice], **more) for choice in roles)
        offsets = [0] * len(self.jobs)
        texts = [""] * len(self.jobs)
        async for index, pieces in self.batches():
            shown: list[dict[str, Any]] = []
            for piece in pieces:
                texts[index] += piece.text
                called = self.with_tools
                shown += self._called(index, piece, texts) if called else self._choices_of(index, piece, offsets)
            if shown:
                yield "".join(self.envelope.event([choice], **more) for choice in shown)
        yield (self.envelope.event([], usage=self.usage()) if more else "") + "data: [DONE]\n\n"

    def _delta(self, index: int, delta: dict[str, Any]) -> dict[str, Any]:
        return chat_delta(index, delta, [], finish=None, with_logprobs=False)

    def _called(self, index: int, piece: Piece, texts: Sequence[str]) -> list[dict[str, Any]]:
        """A call is sent whole, once it is."""
        if not piece.finish_reason:
            return []
        words, calls = read_answer(texts[index])
        delta = (
            {"tool_calls": [{"index": at, **call} for at, call in enumerate(calls)]} if calls else {"content": words}
        )
        end = "tool_calls" if calls else piece.finish_reason
        return [self._delta(index, delta), chat_delta(index, {}, [], finish=end, with_logprobs=False)]

    def _choices_of(self, index: int, piece: Piece, offsets: list[int]) -> list[dict[str, Any]]:
        shown = [piece]
        if self.is_chat:
            made = []
            if piece.text or self.with_logprobs:
                delta = {"content": piece.text}
                made.append(chat_delta(index, delta, shown, finish=None, with_logprobs=self.with_logprobs))
            if piece.finish_reason:
                made.append(chat_delta(index, {}, [], finish=piece.finish_reason, with_logprobs=False))
            return made
        prefix = self._prefix(index) if offsets[index] == 0 else ""
        choice = completion_choice(
            index,
            prefix + piece.text,
            shown,
            finish=piece.finish_reason,
            with_logprobs=self.with_logprobs,
            offset=offsets[index],
        )
        offsets[index] += max(1, len(piece.token_text))
        return [choice]

    async def pieces(self) -> AsyncIterator[tuple[int, Piece]]:
        """Pieces of all choices as they come."""
        async for index, batch in self.batches():
            for piece in batch:
                yield index, piece

    async def batches(self) -> AsyncIterator[tuple[int, list[Piece]]]:
        """Pieces of all choices as they come, those of one choice that are there together in one list."""
        if len(self.jobs) == 1:
            async with aclosing(self.jobs[0].batches()) as batches:
                async for batch in batches:
                    yield 0, self._counted(batch)
            return
        async for index, batch in self._together():
            yield index, self._counted(batch)

    async def _together(self) -> AsyncIterator[tuple[int, list[Piece]]]:
        queue: asyncio.Queue[tuple[int, list[Piece] | BaseException | None]] = asyncio.Queue()

        async def pump(index: int, job: Job | PatternJob) -> None:
            try:
                async with aclosing(job.batches()) as batches:
                    async for batch in batches:
                        queue.put_nowait((index, batch))
                queue.put_nowait((index, None))
            except GenwrightError as error:
                queue.put_nowait((index, error))

        tasks = [asyncio.create_task(pump(index, job)) for index, job in enumerate(self.jobs)]
        try:
            left = len(tasks)
            while left:
                index, item = await queue.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    left -= 1
                    continue
                yield index, item
        finally:
            for task in tasks:
                task.cancel()


def _wants_logprobs(request: CompletionRequest | ChatRequest) -> bool:
    return request.logprobs is not None and request.logprobs is not False


def submit(
    request: CompletionRequest | ChatRequest,
    /,
    *,
    encoded: Sequence[tuple[int, ...]],
    prompts: Sequence[str] = (),
    engine: Engine,
    metrics: Metrics,
    limits: Limits,
) -> Answer:
    """The answer under way: one job per encoded prompt and choice; `prompts` are what a completion may echo.

    Raises:
        ApiError: the prompt fills the context, or too many tokens are asked for.
        QueueFullError: the server is busy.
    """
    budget = _budget(request, limits)
    for ids in encoded:
        _check_length(len(ids), engine.system.context_tokens)
    _check_schema(request, engine.system)
    base = request.seed if request.seed is not None else secrets.randbits(62)
    make = _maker(request, engine, budget)
    jobs: list[Job | PatternJob] = []
    try:
        for ids in encoded:
            for _ in range(request.n or 1):
                jobs.append(_job(request, ids, base + len(jobs), engine=engine, make=make))
    except GenwrightError:
        for job in jobs:
            job.cancelled = True
        raise
    prompt_tokens = sum(len(ids) for ids in encoded)
    metrics.prompt_tokens.inc(prompt_tokens)
    envelope = Envelope("chat.completion" if isinstance(request, ChatRequest) else "text_completion", request.model)
    return Answer(request, jobs, prompt_tokens, list(prompts), envelope, metrics, _sampling(request, engine))


Make = Callable[[tuple[int, ...], int], DecodeRequest]
SEEDS_PER_CHOICE = 1 << 20


def _job(
    request: CompletionRequest | ChatRequest, ids: tuple[int, ...], seed: int, *, engine: Engine, make: Make
) -> Job | PatternJob:
    """One choice: a chat of a system with a prompt goes through its pattern."""
    pattern = getattr(engine.system, "pattern", None)
    if pattern is None or not isinstance(request, ChatRequest):
        return engine.submit(make(ids, seed), stop=request.stops)

    def ask(call: Call, number: int) -> Job:
        asked = make(engine.system.encode_chat(call.chat), seed + SEEDS_PER_CHOICE * number)
        _check_length(len(asked.prompt_ids), engine.system.context_tokens)
        if call.temperature is not None and request.temperature is None:
            cooler = asked.sampling.model_copy(update={"temperature": call.temperature})
            asked = replace(asked, sampling=cooler)
        # What a client asks of the form of an answer is of the call that is shown.
        schema = call.json_schema or (asked.json_schema if call.last else None)
        # A text that a pattern ends is a stream of pieces until then.
        asked = replace(asked, whole=asked.whole and not call.stop, json_schema=schema)
        return engine.submit(asked, stop=(*request.stops, *call.stop))

    return PatternJob(pattern, tuple(request.turns), submit=ask)


def _budget(request: GenerationRequest, limits: Limits) -> int:
    asked = request.max_tokens
    if isinstance(request, ChatRequest):
        asked = request.max_completion_tokens or asked
    if asked is not None and asked > limits.max_tokens:
        raise ApiError(
            400,
            f"max_tokens is {asked}; this server allows {limits.max_tokens}",
            code="invalid_value",
            param="max_tokens",
        )
    return asked or limits.default_tokens


def _check_length(num_tokens: int, context_tokens: int) -> None:
    if num_tokens >= context_tokens:
        raise ApiError(
            400,
            f"the prompt has {num_tokens} tokens; the context holds {context_tokens}, and one must stay free",
            code="context_length_exceeded",
            param="prompt",
        )


def _check_schema(request: CompletionRequest | ChatRequest, system: Any) -> None:
    if isinstance(request, ChatRequest) and request.json_schema:
        try:
            system.check_schema(request.json_schema)
        except CapabilityError as error:
            raise ApiError(400, error.message, code="invalid_json_schema", param="response_format") from None


def _sampling(request: GenerationRequest, engine: Engine) -> SamplingConfig:
    """The system's own, with what was asked for."""
    names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
    asked = {name: value for name in names if (value := getattr(request, name)) is not None}
    found: SamplingConfig = engine.system.sampling.model_copy(update=asked)
    return found


def _maker(request: CompletionRequest | ChatRequest, engine: Engine, budget: int) -> Make:
    sampling = _sampling(request, engine)
    with_logprobs = _wants_logprobs(request)
    json_schema = request.json_schema if isinstance(request, ChatRequest) else None
    top = request.top_logprobs if isinstance(request, ChatRequest) else request.logprobs

    def make(ids: tuple[int, ...], seed: int) -> DecodeRequest:
        return DecodeRequest(
            prompt_ids=ids,
            max_new_tokens=budget,
            sampling=sampling,
            seed=seed,
            stop_ids=engine.system.stop_ids,
            num_top_logprobs=top or 0,
            overflow="stop",
            whole=not request.stream and not request.stops,
            with_logprobs=with_logprobs,
            json_schema=json_schema,
        )

    return make
