"""Many prompts asked of a system, some at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genwright.core.stage import Progress
from genwright.systems.requests import Chat, Completion

AT_ONCE = 16


def complete(
    system: Any,
    prompts: Sequence[str | Chat],
    /,
    *,
    max_tokens: int,
    seeds: Sequence[int],
    progress: Progress,
    title: str,
) -> list[Completion]:
    """One completion per prompt, in order, each with its own seed."""
    made: list[Completion] = []
    with progress.task(title, total=len(prompts)) as task:
        for at in range(0, len(prompts), AT_ONCE):
            part = zip(prompts[at : at + AT_ONCE], seeds[at : at + AT_ONCE], strict=True)
            requests = [system.request(prompt, max_tokens=max_tokens, seed=seed) for prompt, seed in part]
            made += system.generate(requests)
            task.advance(len(requests))
    return made
