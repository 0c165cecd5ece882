"""Worker processes that end with their parent, and give results back in the order of the questions."""

import marshal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, Any

from genwright.core import GenwrightError

# Our own processes over the standard pools: a worker sees the end of its input when its parent is killed and leaves
# (pool workers stay), and needs no guard in the caller's script. marshal carries strings, bytes, numbers and tuples
# between one Python and itself; it can name no code to run.


def ordered_map(worker: str, *, start: Any, batches: Iterable[Any], num_workers: int) -> Iterator[Any]:
    """The answers of `python -m worker` to each batch, in order; about two batches per worker are in flight."""
    processes = [_spawn(worker) for _ in range(num_workers)]
    free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
    try:
        for process in processes:
            send(_pipe(process.stdin), start)
            free.put(process)
        with ThreadPoolExecutor(num_workers) as threads:
            yield from _windowed(batches, lambda batch: threads.submit(_ask, free, batch), size=2 * num_workers)
    finally:
        for process in processes:
            with suppress(BrokenPipeError):
                _pipe(process.stdin).close()
            process.wait()
            _pipe(process.stdout).close()


def _windowed(batches: Iterable[Any], submit: Callable[[Any], "Future[Any]"], *, size: int) -> Iterator[Any]:
    pending: deque[Future[Any]] = deque()
    for batch in batches:
        pending.append(submit(batch))
        if len(pending) >= size:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _ask(free: "SimpleQueue[subprocess.Popen[bytes]]", batch: Any) -> Any:
    process = free.get()
    try:
        send(_pipe(process.stdin), batch)
        return receive(_pipe(process.stdout))
    except (EOFError, BrokenPipeError):
        raise GenwrightError(
            f"a worker process ended before it answered (exit {process.wait()})",
            hint="its message stands above; if memory ran out, set workers = 1 or lower max_document_bytes",
        ) from None
    finally:
        free.put(process)


def _spawn(worker: str) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C reaches the parent alone, which then closes the pipe.
    return subprocess.Popen(
        [sys.executable, "-m", worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def send(stream: IO[bytes], value: Any, /) -> None:
    """Writes one value with its length in front."""
    data = marshal.dumps(value)
    stream.write(len(data).to_bytes(8, "big"))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes], /) -> Any:
    """The next value.

    Raises:
        EOFError: the other side is gone.
    """
    head = stream.read(8)
    size = int.from_bytes(head, "big")
    data = stream.read(size)
    if len(head) < 8 or len(data) < size:
        raise EOFError("the worker ended without an answer")
    return marshal.loads(data)
