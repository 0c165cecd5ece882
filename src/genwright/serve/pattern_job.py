"""A chat under a prompt pattern: its calls go through the engine one after another, the last one is shown."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from genwright.serve.engine import Job, Piece
from genwright.systems.prompts.pattern import AnyPattern, Call
from genwright.systems.requests import Chat

NO_TOKEN = -1


class PatternJob:
    """Stands for one choice, as a `Job` does; `prompt_tokens` counts what all calls read, `hidden_tokens` what those
    before the last one made."""

    def __init__(self, pattern: AnyPattern, chat: Chat, /, *, submit: Callable[[Call, int], Job]) -> None:
        self._turns = pattern.turns(chat)
        self._submit = submit
        self._rounds = 0
        self._under_way: Sequence[Job] = ()
        self.prompt_tokens = self.hidden_tokens = 0
        self._cancelled = False
        self._begin(next(self._turns))

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._cancelled

    @cancelled.setter
    def cancelled(self, value: bool) -> None:
        self._cancelled = value
        for job in self._under_way:
            job.cancelled = value

    def _begin(self, call: Call) -> None:
        first = self._rounds * call.num
        self._call = call
        self._under_way = [self._submit(call, first + number) for number in range(call.num)]
        self._rounds += 1
        self.prompt_tokens += sum(len(job.request.prompt_ids) for job in self._under_way)

    async def batches(self) -> AsyncGenerator[list[Piece], None]:
        """The pieces of the last call, or the answer as one piece where the pattern makes it of what came back."""
        try:
            while not self._call.last:
                texts = await asyncio.gather(*(self._whole(job) for job in self._under_way))
                try:
                    self._begin(self._turns.send(texts))
                except StopIteration as stop:
                    yield [Piece(str(stop.value), NO_TOKEN, str(stop.value), 0.0, (), "stop")]
                    return
            async for batch in self._under_way[0].batches():
                yield batch
        finally:
            self.cancelled = True

    async def _whole(self, job: Job) -> str:
        texts = []
        async for piece in job.pieces():
            texts.append(piece.text)
            self.hidden_tokens += 1
        return "".join(texts)
