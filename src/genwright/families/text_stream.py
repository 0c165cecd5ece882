"""From tokens to text as they come: no broken character is shown, and no part of a stop string either."""

from __future__ import annotations

from collections.abc import Callable, Sequence

REPLACEMENT = "�"


class TextStream:
    """Feeds on token ids and gives back text that will not change any more; `stopped` once a stop string was met."""

    def __init__(self, decode: Callable[[Sequence[int]], str], *, stop: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stop = [mark for mark in stop if mark]
        self._pending_ids: list[int] = []
        self._held = ""
        self.stopped = False

    def feed(self, token_id: int) -> str:
        """The text that is certain after one more token (often empty for a part of a character)."""
        if self.stopped:
            return ""
        self._pending_ids.append(token_id)
        text = self._decode(self._pending_ids)
        if text.endswith(REPLACEMENT):  # may be the first bytes of a longer character
            return ""
        self._pending_ids.clear()
        return self._release(text, final=False)

    def finish(self) -> str:
        """What is left at the end of the stream, broken characters included."""
        if self.stopped:
            return ""
        text = self._decode(self._pending_ids) if self._pending_ids else ""
        self._pending_ids.clear()
        return self._release(text, final=True)

    def _release(self, text: str, *, final: bool) -> str:
        self._held += text
        found = [at for at in (self._held.find(mark) for mark in self._stop) if at >= 0]
        if found:
            self.stopped = True
            return self._take(min(found))
        return self._take(len(self._held) - (0 if final else self._possible_start()))

    def _possible_start(self) -> int:
        """The length of the longest end of the held text that a stop string could begin with."""
        longest = 0
        for mark in self._stop:
            for length in range(min(len(mark) - 1, len(self._held)), longest, -1):
                if self._held.endswith(mark[:length]):
                    longest = length
                    break
        return longest

    def _take(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        return text
