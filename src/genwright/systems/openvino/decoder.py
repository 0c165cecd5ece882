"""Streams of tokens from OpenVINO GenAI's continuous batching, in this process."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genwright.core import CapabilityError, DataError, load_reference
from genwright.families.decoding import DecodedToken, DecodeRequest, FinishReason, LostStream, check_room

CACHE_GIGABYTES = 1
EXTRA = "openvino"


@dataclass
class _Stream:
    request: DecodeRequest
    handle: Any
    most_tokens: int
    made: int = 0


class OpenVinoDecoder:
    """Continuous batching by OpenVINO. Draws follow from a request's seed, and in their last bits from its company."""

    def __init__(self, model: Path, /, *, num_slots: int, context_tokens: int, threads: int, exact: bool) -> None:
        os.environ.setdefault("OPENVINO_TELEMETRY_OPT_OUT", "1")  # no request leaves the machine
        self._genai = load_reference("openvino_genai:py_openvino_genai", extra=EXTRA)
        self._tensor = load_reference("openvino:Tensor", extra=EXTRA)
        self.num_slots, self.context_tokens = num_slots, context_tokens
        scheduler = self._genai.SchedulerConfig()
        scheduler.max_num_seqs, scheduler.cache_size = num_slots, CACHE_GIGABYTES
        scheduler.enable_prefix_caching = False  # an answer follows from its own request, not from those before
        settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads}
        if exact:
            settings |= {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
        try:
            self._engine = self._genai.ContinuousBatchingPipeline(str(model), scheduler, "CPU", settings)
        except RuntimeError as error:
            raise DataError(
                f"OpenVINO does not load {model.name}: {str(error).strip().splitlines()[-1]}",
                hint="it reads f16, q8_0, q4_0, q4_1 and q4_k_m; [compress] engine = 'llama.cpp' has more types",
            ) from None
        self._streams: dict[int, _Stream] = {}
        self._next_slot = 0

    @property
    def num_free(self) -> int:
        """How many more streams may join now."""
        return self.num_slots - len(self._streams)

    def add(self, request: DecodeRequest, /) -> int:
        """Takes a stream in.

        Raises:
            CapabilityError: all slots are taken, the prompt does not fit, or more log-probabilities than one are asked.
        """
        check_room(request, self, num_slots=self.num_slots, context_tokens=self.context_tokens)
        if request.num_top_logprobs > 1:
            raise CapabilityError(
                f"{request.num_top_logprobs} log-probabilities of each place are asked for; OpenVINO tells that of the "
                "token that it takes",
                hint="ask for one, or use [compress] engine = 'llama.cpp'",
            )
        most = min(request.max_new_tokens, self.context_tokens - len(request.prompt_ids))
        slot, self._next_slot = self._next_slot, self._next_slot + 1
        ids = self._tensor(np.array([request.prompt_ids], dtype=np.int64))
        handle = self._engine.add_request(slot, ids, self._settings(request, most))
        self._streams[slot] = _Stream(request, handle, most)
        return slot

    def _settings(self, request: DecodeRequest, most_tokens: int) -> Any:
        """The request in OpenVINO's words."""
        sampling, asked = request.sampling, self._genai.GenerationConfig()
        asked.max_new_tokens = most_tokens
        asked.stop_token_ids = set(request.stop_ids)
        asked.logprobs = int(request.with_logprobs)
        asked.repetition_penalty = sampling.repetition_penalty
        asked.do_sample = sampling.temperature > 0
        if asked.do_sample:
            asked.temperature, asked.top_p, asked.min_p = sampling.temperature, sampling.top_p, sampling.min_p
            if sampling.top_k:
                asked.top_k = sampling.top_k
            asked.rng_seed = request.seed & 0xFFFFFFFF
        if request.json_schema:
            asked.structured_output_config = self._genai.StructuredOutputConfig(json_schema=request.json_schema)
        return asked

    def free(self, slot: int, /) -> None:
        """Lets a stream go; the engine stops to work on it."""
        stream = self._streams.pop(slot, None)
        if stream is not None:
            stream.handle.stop()
            if not self._streams and self._engine.has_non_finished_requests():
                self._engine.step()  # it lets go of what was stopped when it steps

    def step(self) -> list[DecodedToken | LostStream]:
        """One token of every stream."""
        if not self._streams:
            return []
        self._engine.step()
        found: list[DecodedToken | LostStream] = []
        for slot, stream in list(self._streams.items()):
            while stream.handle.can_read():
                found += self._read(slot, stream)
            if found and isinstance(found[-1], DecodedToken) and found[-1].slot == slot and found[-1].finished:
                del self._streams[slot]
        return found

    def _read(self, slot: int, stream: _Stream) -> list[DecodedToken]:
        made = []
        for output in stream.handle.read().values():
            told = list(output.generated_log_probs) or [math.nan] * len(output.generated_ids)
            for token_id, logprob in zip(output.generated_ids, told, strict=True):
                stream.made += 1
                end: FinishReason | None = "length" if stream.made >= stream.most_tokens else None
                end = "stop" if token_id in stream.request.stop_ids else end
                known = float(logprob) if stream.request.with_logprobs else math.nan
                top = ((int(token_id), known),) if stream.request.num_top_logprobs else ()
                made.append(DecodedToken(slot, int(token_id), known, top, end))
        return made
