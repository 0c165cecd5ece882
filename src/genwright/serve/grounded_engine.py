"""Threads that ask a grounded system: so many questions at a time, so many that wait, and no more."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from genwright.core.errors import GenwrightError
from genwright.serve.engine import EngineStoppedError, QueueFullError
from genwright.systems.grounded.answer import Event
from genwright.systems.requests import Chat

LOG = logging.getLogger("uvicorn.error")
Filters = Mapping[str, Sequence[str]]


@dataclass(eq=False)
class Asked:
    """A question on its way; iterate over its events."""

    loop: asyncio.AbstractEventLoop
    queue: "asyncio.Queue[Event | BaseException | None]" = field(default_factory=asyncio.Queue)
    cancelled: bool = False

    def put(self, item: Event | BaseException | None) -> None:
        """Hand something to the event loop, from a thread; None is the end."""
        try:
            self.loop.call_soon_threadsafe(self.queue.put_nowait, item)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self.cancelled = True

    async def events(self) -> AsyncGenerator[Event, None]:
        """Events as they come; leaving early stops the work at the next one."""
        try:
            while (item := await self.queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.cancelled = True


class GroundedEngine:
    """`num_threads` questions are answered side by side, at most `max_queue` wait."""

    def __init__(self, system: Any, /, *, num_threads: int, max_queue: int) -> None:
        self.system = system
        self.num_threads, self.max_queue = num_threads, max_queue
        self._threads = ThreadPoolExecutor(num_threads, thread_name_prefix="answers")
        self._lock = threading.Lock()
        self._under_way: set[Asked] = set()
        self.healthy = False

    @property
    def load(self) -> tuple[int, int]:
        """(questions that are answered, questions that wait)."""
        asked = len(self._under_way)
        return min(asked, self.num_threads), max(0, asked - self.num_threads)

    def start(self) -> None:
        """Begin to take questions."""
        self.healthy = True

    def stop(self) -> None:
        """Finish nothing more; those who wait are told."""
        self.healthy = False
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            left = list(self._under_way)
        for asked in left:
            asked.cancelled = True
            asked.put(EngineStoppedError("the server is stopping"))

    def ask(self, question: str, /, *, history: Chat = (), filters: Filters | None = None) -> Asked:
        """The question under way; its only event is the answer. From a running event loop.

        Raises:
            QueueFullError: too many wait already.
            EngineStoppedError: the engine does not run.
        """
        return self._submit(lambda: iter([self.system.ask(question, history=history, filters=filters)]))

    def stream(self, question: str, /, *, history: Chat = (), filters: Filters | None = None) -> Asked:
        """The same, with every event of the system's stream."""
        return self._submit(lambda: self.system.ask_stream(question, history=history, filters=filters))

    def _submit(self, produce: Callable[[], Iterator[Event]]) -> Asked:
        asked = Asked(asyncio.get_running_loop())
        with self._lock:
            if not self.healthy:
                raise EngineStoppedError("the engine has stopped", hint="restart the server")
            if len(self._under_way) >= self.num_threads + self.max_queue:
                raise QueueFullError(f"{self.load[1]} questions wait already", hint="try again in a moment")
            self._under_way.add(asked)
            self._threads.submit(self._work, produce, asked)
        return asked

    def _work(self, produce: Callable[[], Iterator[Event]], asked: Asked) -> None:
        try:
            if not asked.cancelled:
                _pass_on(produce(), asked)
        except GenwrightError as error:
            asked.put(error)
        except Exception as error:  # told to the client, and written to the log with its place
            LOG.exception("answering failed")
            asked.put(GenwrightError(f"the system failed: {type(error).__name__}: {error}"))
        finally:
            with self._lock:
                self._under_way.discard(asked)
            asked.put(None)


def _pass_on(events: Iterator[Event], asked: Asked) -> None:
    try:
        for event in events:
            if asked.cancelled:
                return
            asked.put(event)
    finally:
        if isinstance(events, Generator):
            events.close()
