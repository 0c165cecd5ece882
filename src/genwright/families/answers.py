"""Answers drawn to many questions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from genwright.families.config import SamplingConfig
from genwright.families.decoding import Decoder, DecodeRequest
from genwright.nets.net import TokenNet


@dataclass(frozen=True)
class Drawing:
    """How answers are drawn: `size` to each question, each of at most `max_tokens`, until one of `stop_ids`."""

    size: int
    max_tokens: int
    temperature: float
    stop_ids: frozenset[int]
    context_tokens: int

    def greedy(self) -> Self:
        """One answer to each question, the likeliest token at every place."""
        return replace(self, size=1, temperature=0.0)


def draw_answers(
    net: TokenNet, drawing: Drawing, /, *, questions: Sequence[Sequence[int]], seeds: Sequence[int]
) -> list[list[tuple[int, ...]]]:
    """The answers to each question, the mark that ended them included; one seed for every answer."""
    was_training = net.training
    decoder = Decoder(net, num_slots=len(seeds), context_tokens=drawing.context_tokens)
    found: dict[int, list[int]] = {}
    for place, seed in enumerate(seeds):
        request = DecodeRequest(
            prompt_ids=tuple(questions[place // drawing.size]),
            max_new_tokens=drawing.max_tokens,
            sampling=SamplingConfig(temperature=drawing.temperature),
            seed=seed,
            stop_ids=drawing.stop_ids,
            overflow="stop",
        )
        found[decoder.add(request)] = []
    while tokens := decoder.step():
        for token in tokens:
            found[token.slot].append(token.token_id)
    net.train(was_training)
    answers = [tuple(one) for one in found.values()]
    return [answers[at : at + drawing.size] for at in range(0, len(answers), drawing.size)]
