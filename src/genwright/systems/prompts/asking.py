"""Many chats through a pattern at once: the calls of one round share batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from genwright.systems.prompts.pattern import AnyPattern, Call, Turns
from genwright.systems.requests import Completion, GenerationRequest

Generate = Callable[[Sequence[GenerationRequest]], list[Completion]]
SEEDS_PER_CALL = 1 << 20


class _Asked:
    """One chat on its way through its pattern."""

    def __init__(self, request: GenerationRequest, pattern: AnyPattern) -> None:
        assert not isinstance(request.prompt, str), "a pattern is for chats"
        self.request = request
        self.made: list[Completion] = []
        self.turns: Turns = pattern.turns(request.prompt)
        self.call: Call | None = next(self.turns)
        self.text = ""
        self.rounds = 0

    def requests(self) -> list[GenerationRequest]:
        """What the call of this round asks."""
        assert self.call is not None
        seed = self.request.seed + SEEDS_PER_CALL * self.rounds
        return [request_for(self.call, self.request, seed=seed + number) for number in range(self.call.num)]

    def take(self, found: Sequence[Completion]) -> None:
        """The completions of this round."""
        self.made += found
        self.rounds += 1
        try:
            self.call = self.turns.send([one.text for one in found])
        except StopIteration as stop:
            self.call, self.text = None, stop.value

    def completion(self) -> Completion:
        """The answer, with the tokens of all calls."""
        return Completion(
            text=self.text,
            token_ids=tuple(token for one in self.made for token in one.token_ids),
            logprobs=tuple(value for one in self.made for value in one.logprobs),
            finish_reason=self.made[-1].finish_reason,
            num_prompt_tokens=sum(one.num_prompt_tokens for one in self.made),
        )


def answers(requests: Sequence[GenerationRequest], /, *, pattern: AnyPattern, generate: Generate) -> list[Completion]:
    """The answer to each chat; what is asked for of each (sampling, seed, tokens) holds for every call of its own."""
    work = [_Asked(request, pattern) for request in requests]
    while waiting := [one for one in work if one.call is not None]:
        asked = [one.requests() for one in waiting]
        made = iter(generate([request for part in asked for request in part]))
        for one, part in zip(waiting, asked, strict=True):
            one.take([next(made) for _ in part])
    return [one.completion() for one in work]


def pieces(
    request: GenerationRequest,
    /,
    *,
    pattern: AnyPattern,
    generate: Generate,
    stream: Callable[[GenerationRequest], Iterator[str]],
) -> Iterator[str]:
    """The answer to one chat as it is written, where the pattern's last call is the answer; else all at once."""
    one = _Asked(request, pattern)
    while one.call is not None and not one.call.last:
        one.take(generate(one.requests()))
    if one.call is None:
        yield one.text
    else:
        yield from stream(one.requests()[0])


def request_for(call: Call, request: GenerationRequest, /, *, seed: int) -> GenerationRequest:
    """The request of one call, with all else as the user asked."""
    sampling = request.sampling
    if call.temperature is not None:
        sampling = sampling.model_copy(update={"temperature": call.temperature})
    schema = call.json_schema or (request.json_schema if call.last else None)
    stop = (*request.stop, *call.stop)
    return replace(request, prompt=call.chat, sampling=sampling, seed=seed, stop=stop, json_schema=schema)
