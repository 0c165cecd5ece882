"""Ctrl-C and SIGTERM: stages that can save are asked to; the others stop at once."""

import signal
import threading
from types import FrameType, TracebackType


class Stopping:
    """While entered, the first signal asks a saving stage to stop; a second one, or any other stage, stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self.stage_saves = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned

    def _handle(self, number: int, frame: FrameType | None) -> None:
        first, self.asked = not self.asked, True
        if not (first and self.stage_saves):
            raise KeyboardInterrupt
