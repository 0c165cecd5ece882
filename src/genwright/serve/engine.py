"""One thread that owns the decoder: requests join its batch as slots come free, and leave when they are done."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from genwright.core.errors import GenwrightError
from genwright.families.decoding import DecodedToken, DecodeRequest, LostStream
from genwright.families.text_stream import TextStream


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
    queue: "asyncio.Queue[Piece | BaseException]" = field(default_factory=asyncio.Queue)
    cancelled: bool = False

    def put(self, item: Piece | BaseException) -> None:
        """Hand something to the event loop, from the engine's thread."""
        try:
            self.loop.call_soon_threadsafe(self.queue.put_nowait, item)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self.cancelled = True

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Pieces as they come; leaving early frees the slot."""
        try:
            while True:
                item = await self.queue.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
                if item.finish_reason:
                    return
        finally:
            self.cancelled = True


class Engine:
    """Continuous batching over one system: `num_slots` streams step together, at most `max_queue` wait."""

    def __init__(self, system: Any, /, *, num_slots: int, max_queue: int) -> None:
        self.system = system
        self.max_queue = max_queue
        self._decoder = system.decoder(num_slots)
        self._waiting: deque[Job] = deque()
        self._active: dict[int, Job] = {}
        self._wake = threading.Condition()
        self._running = False
        self._failure: BaseException | None = None
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
            for job in left:
                job.put(EngineStoppedError(reason))

    def _admit(self) -> bool:
        """Fill free slots from the queue; wait where there is nothing to do. False once stopped."""
        with self._wake:
            while self._running and not self._waiting and not self._active:
                self._wake.wait()
            if not self._running:
                return False
            fresh = [self._waiting.popleft() for _ in range(min(self._decoder.num_free, len(self._waiting)))]
        for job in fresh:
            if job.cancelled:
                continue
            try:
                self._active[self._decoder.add(job.request)] = job
            except GenwrightError as error:
                job.put(error)
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
                job.put(EngineStoppedError(token.error.message, hint=token.error.hint))
                del self._active[token.slot]
                continue
            self.generated_tokens += 1
            piece = self._piece(job, token)
            job.put(piece)
            if piece.finish_reason:
                self._decoder.free(token.slot)
                del self._active[token.slot]

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
