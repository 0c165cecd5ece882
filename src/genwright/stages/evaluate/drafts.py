"""What a draft is worth: the same prompts with it and without it, by turns in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from genwright.core import ClaimDraft, Context, Derivation
from genwright.families.decoding import Decoder, DecodeRequest, stream
from genwright.families.speculative import SpeculativeDecoder
from genwright.measure import write_scores
from genwright.systems.requests import Chat

NUM_PROMPTS = 16


@dataclass(frozen=True)
class DraftPrompt:
    """A held-out prompt."""

    id: str
    group: str
    prompt: str | Chat


@dataclass(frozen=True)
class _Side:
    """One answer: its tokens, what it cost, and the draft's tokens."""

    ids: list[int]
    cpu_seconds: float
    guessed: int = 0
    accepted: int = 0


def measure_draft(system: Any, prompts: Sequence[DraftPrompt], /, *, max_tokens: int, context: Context) -> None:
    """Writes `draft_scores`, which repeats bit for bit, and `draft_costs`, which does not: a row per prompt.

    The first `NUM_PROMPTS` are answered one at a time; which side goes first changes from prompt to prompt.
    """
    asked = prompts[:NUM_PROMPTS]
    scores, costs = [], []
    with context.progress.task("answers with the draft and without it", total=len(asked)) as task:
        for number, one in enumerate(asked):
            request = _request(system, one.prompt, max_tokens=max_tokens, seed=context.seed_for(f"draft {number}"))
            sides: dict[bool, Callable[[], Decoder]] = {
                True: lambda: system.decoder(1),
                False: lambda: system.family.decoder(1),
            }
            if number == 0:  # whatever is set up at the first use
                for make in sides.values():
                    _answered(make(), request)
            order = (False, True) if number % 2 else (True, False)
            made = {drafted: _answered(sides[drafted](), request) for drafted in order}
            row = {"id": one.id, "group": one.group}
            scores.append(row | _scores(made[True], made[False]))
            costs.append(row | _costs(made[True], made[False]))
            task.advance(1)
    for slot, rows in (("draft_scores", scores), ("draft_costs", costs)):
        write_scores(context.folder(slot), {name: [row[name] for row in rows] for name in rows[0]})


def _request(system: Any, prompt: str | Chat, *, max_tokens: int, seed: int) -> DecodeRequest:
    return DecodeRequest(
        prompt_ids=system.encode_request(prompt),
        max_new_tokens=max_tokens,
        sampling=system.request(prompt, max_tokens=max_tokens).sampling,
        seed=seed,
        stop_ids=system.stop_ids,
        whole=True,
    )


def _answered(decoder: Decoder, request: DecodeRequest) -> _Side:
    begin = time.process_time()
    ids = [token.token_id for token in stream(decoder, request=request)]
    seconds = time.process_time() - begin
    if isinstance(decoder, SpeculativeDecoder):
        return _Side(ids, seconds, decoder.num_guessed, decoder.num_accepted)
    return _Side(ids, seconds)


def _scores(drafted: _Side, plain: _Side) -> dict[str, Any]:
    return {
        "guessed": drafted.guessed,
        "accepted": drafted.accepted,
        "equal": float(drafted.ids == plain.ids),
    }


def _costs(drafted: _Side, plain: _Side) -> dict[str, Any]:
    return {
        "tokens_drafted": len(drafted.ids),
        "cpu_seconds_drafted": drafted.cpu_seconds,
        "tokens_plain": len(plain.ids),
        "cpu_seconds_plain": plain.cpu_seconds,
    }


def draft_claims(*, level: float, resamples: int) -> list[ClaimDraft]:
    """The share of guesses that stood, whether answers are equal, and the speed of both sides with its ratio."""

    def ratio(above: str, below: str) -> Derivation:
        columns = {"numerator": above, "denominator": below}
        return Derivation("ratio", columns, interval="bootstrap", level=level, cluster="group", resamples=resamples)

    def draft(metric: str, unit: str, scores: str, derivation: Derivation, label: str = "") -> ClaimDraft:
        return ClaimDraft(
            "system", metric, unit, scores, derivation, label=label, data="dataset", better="higher", headline=False
        )

    speeds = [
        draft(
            "decode_tokens_per_cpu_second", "tokens/CPU s", "draft_costs",
            ratio(f"tokens_{side}", f"cpu_seconds_{side}"), label,
        )
        for side, label in (("drafted", "with the draft"), ("plain", "without the draft"))
    ]  # fmt: skip
    return [
        draft("draft_accepted", "1", "draft_scores", ratio("accepted", "guessed")),
        draft("draft_answers_equal", "1", "draft_scores", Derivation("mean", {"value": "equal"})),
        *speeds,
        draft("draft_speedup", "1", "draft_costs", ratio("cpu_seconds_plain", "cpu_seconds_drafted")),
    ]
