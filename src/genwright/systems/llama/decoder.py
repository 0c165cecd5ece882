"""Streams of tokens from llama.cpp: each has a thread that reads what the engine makes."""

from __future__ import annotations

import json
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from genwright.core import GenwrightError
from genwright.core.protocols import Codec
from genwright.families.decoding import DecodedToken, DecodeRequest, FinishReason, LostStream, check_room
from genwright.families.text_stream import REPLACEMENT
from genwright.systems.grammar import lark
from genwright.systems.llama.process import Connection, EngineLostError, LlamaProcess

WAIT_SECONDS = 0.25
# The engine tells the tokens of one step one after another: taken up together, they wake a server once.
TOGETHER_SECONDS = 0.001
UNTOLD: Mapping[str, Any] = {"logprob": math.nan, "top_logprobs": ()}
# Each reads the probabilities that the one before has left: in this order they agree with the sampler of this house.
SAMPLERS = ("penalties", "temperature", "top_p", "min_p", "top_k")
# The likeliest token needs none of them, and they cost a twentieth of a small model's step.
GREEDY: Mapping[str, Any] = {"samplers": ["top_k"], "top_k": 1}


@dataclass
class _Stream:
    slot: int
    request: DecodeRequest
    connection: Connection | None = None
    freed: bool = False


class LlamaDecoder:
    """Continuous batching by llama.cpp. Draws follow from a request's seed, and in their last bits from its company."""

    def __init__(self, process: LlamaProcess, /, *, codec: Codec) -> None:
        self.process, self._codec, self.num_slots = process, codec, process.settings.num_slots
        self._streams: dict[int, _Stream] = {}
        self._made: queue.SimpleQueue[DecodedToken | LostStream | None] = queue.SimpleQueue()
        self._next_slot = 0

    @property
    def num_free(self) -> int:
        """How many more streams may join now."""
        return self.num_slots - len(self._streams)

    def add(self, request: DecodeRequest, /) -> int:
        """Takes a stream in; a dead engine is started again.

        Raises:
            CapabilityError: all slots are taken, or the prompt is empty or fills the context.
        """
        context_tokens = self.process.settings.context_tokens
        check_room(request, self, num_slots=self.num_slots, context_tokens=context_tokens)
        self.process.start()
        stream = _Stream(self._next_slot, request)
        self._next_slot += 1
        self._streams[stream.slot] = stream
        threading.Thread(target=self._read, args=(stream,), name=f"llama {stream.slot}", daemon=True).start()
        return stream.slot

    def free(self, slot: int, /) -> None:
        """Lets a stream go; the engine stops to work on it."""
        stream = self._streams.pop(slot, None)
        if stream is not None:
            stream.freed = True
            if stream.connection is not None:
                stream.connection.abort()

    def wake(self) -> None:
        """Lets a step that waits end, from another thread: there is something else to do."""
        self._made.put(None)

    def step(self) -> list[DecodedToken | LostStream]:
        """What has come since; waits a moment where nothing has."""
        found = []
        for item in self._arrived():
            if item is None or item.slot not in self._streams:
                continue  # nobody wants it any more
            found.append(item)
            if isinstance(item, LostStream) or item.finished:
                del self._streams[item.slot]
        return found

    def _arrived(self) -> Iterator[DecodedToken | LostStream | None]:
        try:
            yield (first := self._made.get(timeout=WAIT_SECONDS))
            if first is not None and len(self._streams) > 1:
                time.sleep(TOGETHER_SECONDS)
            while True:
                yield self._made.get_nowait()
        except queue.Empty:
            return

    # --- a stream's thread -------------------------------------------------------------------------------------------

    def _read(self, stream: _Stream) -> None:
        try:
            with closing(self.process.open("/completion", self._body(stream.request))) as connection:
                stream.connection = connection
                if stream.freed:
                    return
                if _is_whole(stream.request):
                    self._give(stream, json.loads(connection.answer.read()))
                else:
                    self._follow(stream, connection)
        except EngineLostError as error:
            self._lose(stream, error)
        except GenwrightError as error:
            self._made.put(LostStream(stream.slot, error))
        except (OSError, HTTPException, ValueError) as error:
            lost = EngineLostError(f"the engine broke off ({type(error).__name__})", hint="send the request again")
            self._lose(stream, lost)

    def _lose(self, stream: _Stream, error: EngineLostError) -> None:
        if not stream.freed:
            self.process.settle()
        self._made.put(LostStream(stream.slot, error))

    def _body(self, request: DecodeRequest) -> dict[str, Any]:
        """The request in llama.cpp's words."""
        sampling, context_tokens = request.sampling, self.process.settings.context_tokens
        return {
            "prompt": list(request.prompt_ids),
            "n_predict": _most_tokens(request, context_tokens),
            "stream": not _is_whole(request),
            "return_tokens": True,
            "cache_prompt": False,  # an answer follows from its own request, not from what was asked before
            "n_probs": max(1, request.num_top_logprobs) if request.with_logprobs else 0,
            "seed": request.seed & 0xFFFFFFFF,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "repeat_penalty": sampling.repetition_penalty,
            "repeat_last_n": context_tokens,
            "samplers": list(SAMPLERS),
            **(GREEDY if sampling.temperature == 0 and sampling.repetition_penalty == 1 else {}),
            **({"grammar": lark(request.json_schema)} if request.json_schema else {}),
        }

    def _follow(self, stream: _Stream, connection: Connection) -> None:
        """Hands on each event's tokens as they come."""
        made, request = 0, stream.request
        for event in connection.events():
            ids = self._ids(event, num_hidden=int(event["tokens_predicted"]) - made - len(event["tokens"]))
            made = int(event["tokens_predicted"])
            for token_id in ids:
                full = token_id == ids[-1] and made >= _most_tokens(request, self.process.settings.context_tokens)
                finished: FinishReason | None = "length" if full else None
                finished = "stop" if token_id in request.stop_ids else finished
                self._made.put(DecodedToken(stream.slot, token_id, math.nan, finished=finished))
                if finished:
                    return
            if event["stop"]:
                # A mark that only the engine knows, or the end in the middle of a character.
                finished = "stop" if event["stop_type"] == "eos" else "length"
                self._made.put(DecodedToken(stream.slot, self._codec.eos_id, math.nan, finished=finished))
                return
        raise EngineLostError("the engine ended a stream too early", hint="send the request again")

    def _ids(self, event: Mapping[str, Any], *, num_hidden: int) -> list[int]:
        """The tokens of an event. The engine hides those that begin a character: they follow from the text."""
        shown = [int(token_id) for token_id in event["tokens"]]
        if num_hidden <= 0 or not shown:
            return shown
        ids = [int(token_id) for token_id in self._codec.encode([event["content"]])[0]]
        # Of bytes that are no character, only their number is known.
        return [*ids[:num_hidden], *shown] if REPLACEMENT in event["content"] else ids

    def _give(self, stream: _Stream, answer: Mapping[str, Any]) -> None:
        """Hands on a whole answer."""
        ids = [int(token_id) for token_id in answer["tokens"]]
        finished: FinishReason = "stop" if answer["stop_type"] == "eos" else "length"
        likely = deque(answer.get("completion_probabilities", ()))
        for place, token_id in enumerate(ids, start=1):
            # Of a character that takes several tokens, the engine tells how likely the last one was.
            told = likely.popleft() if likely and likely[0]["id"] == token_id else UNTOLD
            top = tuple((int(one["id"]), float(one["logprob"])) for one in told["top_logprobs"])
            kept = top[: stream.request.num_top_logprobs]
            end = finished if place == len(ids) else None
            self._made.put(DecodedToken(stream.slot, token_id, float(told["logprob"]), kept, end))


def _most_tokens(request: DecodeRequest, context_tokens: int) -> int:
    return min(request.max_new_tokens, context_tokens - len(request.prompt_ids))


def _is_whole(request: DecodeRequest) -> bool:
    """Log-probabilities of all tokens are told with whole answers alone."""
    return request.whole or request.with_logprobs
