"""One thread that owns the decoder: requests join its batch as slots come free, and leave when they are done."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from genwright.core.errors import GenwrightError
from genwright.families.decoding import DecodedToken, DecodeRequest, LostStream
from genwright.families.text_stream import TextStream

# A server is woken at most so often while streams go on: its caches are cold by then, and waking costs more than words.
TELL_SECONDS = 0.02


class QueueFullError(GenwrightError):
    """More requests wait than the server allows."""

    code = "queue_full"


class EngineStoppedError(GenwrightError):
    """The engine is not running, or failed while it worked on a request."""

    code = "engine_stopped"


@dataclass(frozen=True)
class Piece:
    """One token of one stream: the text that became certain with it, and how likely it was.

    `token_text` is empty where no log-probabilities were asked for.
    """

    text: str
    token_id: int
    token_text: str
    logprob: float
    top_logprobs: tuple[tuple[str, float], ...]
    finish_reason: str | None


@dataclass
class Job:
    """A request on its way through the engine; iterate over it for its pieces."""

    request: DecodeRequest
    stream: TextStream
    loop: asyncio.AbstractEventLoop
    cancelled: bool = False
    begun: bool = False
    _come: list[Piece] = field(default_factory=list)
    _error: BaseException | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, item: Piece | BaseException) -> None:
        """Something has come, told on the event loop's thread."""
        if isinstance(item, BaseException):
            self._error = item
        else:
            self._come.append(item)
        self._wake.set()

    async def batches(self) -> AsyncGenerator[list[Piece], None]:
        """All pieces that have come since the last look, as they come; leaving early frees the slot."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                come, self._come = self._come, []
                if come:
                    yield come
                    if come[-1].finish_reason:
                        return
                if self._error is not None:
                    raise self._error
        finally:
            self.cancelled = True

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Pieces one by one."""
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                for piece in batch:
                    yield piece


Told = tuple[Job, Piece | BaseException]


def _is_urgent(told: Told) -> bool:
    """The first and the last of a stream are told at once."""
    job, item = told
    is_first, job.begun = not job.begun, True
    return is_first or isinstance(item, BaseException) or item.finish_reason is not None


def tell(told: Sequence[Told], /) -> None:
    """Hands what was made to the event loops, from the engine's thread: each is woken once."""
    for loop in {job.loop for job, _ in told}:
        own = [one for one in told if one[0].loop is loop]
        try:
            loop.call_soon_threadsafe(_take_all, own)
        except RuntimeError:  # the loop is closed: nobody listens any more
            for job, _ in own:
                job.cancelled = True


def _take_all(told: Sequence[Told]) -> None:
    for job, item in told:
        job.take(item)


class Engine:
    """Continuous batching over one system: `num_slots` streams step together, at most `max_queue` wait."""

    def __init__(self, system: Any, /, *, num_slots: int, max_queue: int) -> None:
        self.system = system
        self.max_queue = max_queue
        self._decoder = system.decoder(num_slots)
        self._rouse: Callable[[], None] | None = getattr(self._decoder, "wake", None)  # of one that waits in its steps
        self._waiting: deque[Job] = deque()
        self._active: dict[int, Job] = {}
        self._wake = threading.Condition()
        self._running = False
        self._failure: BaseException | None = None
        self._held: list[Told] = []
        self._told_at = 0.0
        self._thread = threading.Thread(target=self._work, name="decoder", daemon=True)
        self.generated_tokens = 0
        self.steps = 0

    @property
    def healthy(self) -> bool:
        """Whether the thread runs."""
        return self._running and self._thread.is_alive()

    @property
    def load(self) -> tuple[int, int]:
        """(streams in the batch, requests that wait)."""
        return len(self._active), len(self._waiting)

    def start(self) -> None:
        """Begin to take requests."""
        self._running = True
        self._thread.start()

    def stop(self) -> None:
        """Finish nothing more; waiting requests are told."""
        with self._wake:
            self._running = False
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def submit(self, request: DecodeRequest, /, *, stop: tuple[str, ...]) -> Job:
        """The job of a request, from a running event loop.

        Raises:
            QueueFullError: too many wait already.
            EngineStoppedError: the engine does not run.
        """
        if not self.healthy:
            raise EngineStoppedError("the engine has stopped", hint="restart the server")
        job = Job(request, TextStream(self.system.decode, stop=stop), asyncio.get_running_loop())
        with self._wake:
            if len(self._waiting) >= self.max_queue:
                raise QueueFullError(f"{len(self._waiting)} requests wait already", hint="try again in a moment")
            self._waiting.append(job)
            self._wake.notify()
            if self._active and self._rouse is not None:
                self._rouse()
        return job

    # --- the engine's thread ---------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while self._admit():
                self._drop_cancelled()
                if self._active:
                    self._step()
        except BaseException as error:  # told to every client, then raised for the log
            self._failure = error
            raise
        finally:
            self._running = False
            reason = f"the engine failed: {self._failure}" if self._failure else "the server is stopping"
            with self._wake:
                left = [*self._active.values(), *self._waiting]
                self._waiting.clear()
            self._tell_held()
            tell([(job, EngineStoppedError(reason)) for job in left])

    def _admit(self) -> bool:
        """Fill free slots from the queue; wait where there is nothing to do. False once stopped."""
        with self._wake:
            while self._running and not self._waiting and not self._active:
                self._wake.wait()
            if not self._running:
                return False
            fresh = [self._waiting.popleft() for _ in range(min(self._decoder.num_free, len(self._waiting)))]
        if fresh:
            self._tell_held()  # reading what is new may take long
        for job in fresh:
            if job.cancelled:
                continue
            try:
                self._active[self._decoder.add(job.request)] = job
            except GenwrightError as error:
                tell([(job, error)])
        return True

    def _drop_cancelled(self) -> None:
        for slot in [slot for slot, job in self._active.items() if job.cancelled]:
            self._decoder.free(slot)
            del self._active[slot]

    def _step(self) -> None:
        self.steps += 1
        for token in self._decoder.step():
            if (job := self._active.get(token.slot)) is None:
                continue  # it has met a stop string already
            if isinstance(token, LostStream):
                self._held.append((job, EngineStoppedError(token.error.message, hint=token.error.hint)))
                del self._active[token.slot]
                continue
            self.generated_tokens += 1
            piece = self._piece(job, token)
            self._held.append((job, piece))
            if piece.finish_reason:
                self._decoder.free(token.slot)
                del self._active[token.slot]
        urgent = [_is_urgent(one) for one in self._held]
        waits = self._rouse is not None  # its next step may take as long as it likes
        if waits or any(urgent) or time.monotonic() - self._told_at >= TELL_SECONDS:
            self._tell_held()

    def _tell_held(self) -> None:
        held, self._held = self._held, []
        if held:
            self._told_at = time.monotonic()
            tell(held)

    def _piece(self, job: Job, token: DecodedToken) -> Piece:
        is_mark = token.token_id in job.request.stop_ids
        text = "" if is_mark else job.stream.feed(token.token_id)
        finish = "stop" if job.stream.stopped else token.finished
        if finish:
            text += job.stream.finish()
            finish = "stop" if job.stream.stopped else finish
        top = tuple((self.system.decode([token_id]), logprob) for token_id, logprob in token.top_logprobs)
        shown = self.system.decode([token.token_id]) if job.request.with_logprobs else ""
        return Piece(text, token.token_id, shown, token.logprob, top, finish)
