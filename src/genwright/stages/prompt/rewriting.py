"""Rewriting an instruction by what went wrong with it: GEPA, with any back end as the model that reflects.

Source: Agrawal et al. 2025, arXiv:2507.19457, by the package `gepa`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genwright.core import Context, load_reference
from genwright.modalities.chat.messages import answer, asked, chats
from genwright.stages.prompt.config import GepaConfig
from genwright.stages.prompt.tried import Answered, Asking, Tried
from genwright.systems import Manifest
from genwright.systems.http.system import HttpSystem
from genwright.systems.prompts import Prompt

COMPONENT, EXTRA = "instruction", "gepa"
NOWHERE = "0" * 64


@dataclass
class Quiet:
    """Where GEPA writes its log: to the stage's progress, a line each."""

    context: Context

    def log(self, message: str) -> None:
        """Says the first line."""
        self.context.progress.say(f"  gepa: {message.splitlines()[0] if message else ''}")


@dataclass
class Adapter:
    """How GEPA asks the questions: one text moves, the instruction of the prompt."""

    asking: Asking
    prompt: Prompt
    batch_type: Callable[..., Any]
    propose_new_texts: None = None  # GEPA's own proposer asks the model that reflects

    def evaluate(self, batch: list[int], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        """The answers to the questions of those numbers, and their scores."""
        title = f"ask {len(batch)} questions: a rewritten instruction"
        made = self.asking.answers(rewritten(self.prompt, candidate[COMPONENT]), batch, title=title)
        traces = list(zip(batch, made, strict=True)) if capture_traces else None
        return self.batch_type(
            outputs=[one.text for one in made], scores=[one.score for one in made], trajectories=traces
        )

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What was asked, what was answered, and what the answer should have been."""
        del candidate
        known = chats(self.asking.rows)
        shown = [self._shown(known[number], found) for number, found in eval_batch.trajectories]
        return dict.fromkeys(components_to_update, shown)

    def _shown(self, chat: Any, found: Answered) -> dict[str, str]:
        told = (
            f"The answer should have been: {answer(chat)}\n{self.asking.config.metric} is {found.score:.2f}, at best 1."
        )
        return {"Inputs": asked(chat), "Generated Outputs": found.text, "Feedback": told}


@dataclass
class Reflection:
    """The model that reads what went wrong; it counts how often it was asked, which seeds what it says."""

    system: Any
    config: GepaConfig
    context: Context
    num_asked: int = 0

    def __call__(self, prompt: str | list[dict[str, Any]]) -> str:
        """What it says."""
        said = [("user", prompt)] if isinstance(prompt, str) else [(one["role"], one["content"]) for one in prompt]
        request = self.system.request(
            tuple(said),
            max_tokens=self.config.max_tokens,
            seed=self.context.seed_for(f"reflection {self.num_asked}"),
            sampling={"temperature": self.config.temperature},
        )
        self.num_asked += 1
        (completion,) = self.system.generate([request])
        return str(completion.text)


def rewritten(prompt: Prompt, instruction: str, /) -> Prompt:
    """The same prompt with another instruction."""
    return prompt.model_copy(update={"pattern": prompt.pattern.model_copy(update={"instruction": instruction})})


def reflecting(config: GepaConfig, asking: Asking, /) -> Reflection:
    """The model behind the server that is named, or the one that answers."""
    system = asking.system
    if config.reflection is not None:
        system = HttpSystem(config.reflection, manifest=Manifest(backend="http", model=NOWHERE, codec=NOWHERE))
    return Reflection(system, config, asking.context)


def rewrite(best: Tried, asking: Asking, reflection: Reflection, /) -> list[Tried]:
    """The prompt with each instruction that GEPA kept, without the one that it began with; none has been asked all.

    Raises:
        DependencyError: the extra `gepa` is not installed.
    """
    config = reflection.config
    optimize = load_reference("gepa:optimize", extra=EXTRA)
    numbers = list(range(len(asking.rows)))
    found = optimize(
        seed_candidate={COMPONENT: best.prompt.pattern.instruction},
        trainset=numbers,
        valset=numbers,
        adapter=Adapter(asking, best.prompt, load_reference("gepa:EvaluationBatch", extra=EXTRA)),
        reflection_lm=reflection,
        reflection_minibatch_size=config.minibatch,
        max_metric_calls=config.budget_questions,
        logger=Quiet(asking.context),
        cache_evaluation=True,
        seed=asking.context.seed_for("gepa") % (1 << 31),
    )
    texts = dict.fromkeys(one[COMPONENT] for one in found.candidates)
    texts.pop(best.prompt.pattern.instruction, None)
    name = f"{best.prompt.pattern.kind}, rewritten"
    return [Tried(f"{name} {number}", rewritten(best.prompt, text)) for number, text in enumerate(texts, start=1)]
