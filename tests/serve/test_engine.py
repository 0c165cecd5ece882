"""The engine's thread tells what it made: in order, the first and the last at once, the rest a few at a time."""

import asyncio
import math
import time

import pytest

from genwright.families.config import SamplingConfig
from genwright.families.decoding import DecodedToken, DecodeRequest, LostStream
from genwright.serve.engine import TELL_SECONDS, Engine, EngineStoppedError

TOKENS = 40


class Counting:
    """A system whose decoder gives the tokens 0, 1, 2, ... to every stream, `pause` seconds apart."""

    stop_ids = frozenset()

    def __init__(self, *, pause=0.001, lost_after=None):
        self.pause, self.lost_after = pause, lost_after
        self.num_slots, self.streams, self.next_slot = 4, {}, 0

    def decoder(self, num_slots):
        return self

    def decode(self, ids):
        return "".join(f" {token}" for token in ids)

    @property
    def num_free(self):
        return self.num_slots - len(self.streams)

    def add(self, request):
        self.next_slot += 1
        self.streams[self.next_slot] = [request.max_new_tokens, 0]
        return self.next_slot

    def free(self, slot):
        self.streams.pop(slot, None)

    def step(self):
        time.sleep(self.pause)
        made = []
        for slot, stream in self.streams.items():
            number, stream[1] = stream[1], stream[1] + 1
            if number == self.lost_after:
                made.append(LostStream(slot, EngineStoppedError("gone")))
            else:
                made.append(
                    DecodedToken(slot, number, math.nan, finished="length" if number + 1 == stream[0] else None)
                )
        return made


class Waiting(Counting):
    """One that waits in its steps, as an engine in another process does."""

    def __init__(self, **more):
        super().__init__(**more)
        self.woken = 0

    def wake(self):
        self.woken += 1


def batches_of(system, *, num=2, tokens=TOKENS):
    """What each of some streams was told, and when."""

    async def follow(job):
        return [(time.monotonic(), batch) async for batch in job.batches()]

    async def ask():
        engine = Engine(system, num_slots=4, max_queue=8)
        engine.start()
        try:
            request = DecodeRequest((1,), tokens, SamplingConfig(), with_logprobs=False)
            first = engine.submit(request, stop=())
            while not system.streams:
                await asyncio.sleep(0.001)
            others = [engine.submit(request, stop=()) for _ in range(num - 1)]
            return await asyncio.gather(*(follow(job) for job in (first, *others)))
        finally:
            engine.stop()

    return asyncio.run(ask())


def test_every_piece_is_told_in_its_order():
    for told in batches_of(Counting()):
        pieces = [piece for _, batch in told for piece in batch]
        assert [piece.token_id for piece in pieces] == list(range(TOKENS))
        assert "".join(piece.text for piece in pieces) == "".join(f" {number}" for number in range(TOKENS))
        assert [piece.finish_reason for piece in pieces] == [None] * (TOKENS - 1) + ["length"]


def test_a_fast_decoder_wakes_the_server_less_often_than_it_makes_tokens():
    """The first token is alone; between the others' batches lies the time that a server is left in peace."""
    (told,) = batches_of(Counting(), num=1)
    assert len(told[0][1]) == 1
    assert len(told) < TOKENS / 3


def test_a_slow_decoder_is_told_of_token_by_token():
    (told,) = batches_of(Counting(pause=1.2 * TELL_SECONDS), num=1, tokens=5)
    assert [len(batch) for _, batch in told] == [1] * 5


def test_what_waits_in_its_steps_holds_nothing_back_and_is_woken_for_a_new_stream():
    system = Waiting(pause=0.002)
    told = batches_of(system, tokens=10)
    assert [sum(len(batch) for _, batch in one) for one in told] == [10, 10]
    assert system.woken == 1
    (alone,) = batches_of(Waiting(pause=0.004), num=1, tokens=10)
    assert len(alone) >= 5


def test_pieces_before_an_error_are_told_before_it():
    async def ask():
        engine = Engine(Counting(lost_after=3), num_slots=4, max_queue=8)
        engine.start()
        told = []
        try:
            job = engine.submit(DecodeRequest((1,), TOKENS, SamplingConfig()), stop=())
            with pytest.raises(EngineStoppedError, match="gone"):
                async for batch in job.batches():
                    told.extend(piece.token_id for piece in batch)
        finally:
            engine.stop()
        return told

    assert asyncio.run(ask()) == [0, 1, 2]
