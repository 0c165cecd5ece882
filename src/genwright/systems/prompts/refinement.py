"""Question refinement: the model makes the question more exact, and answers that."""

from __future__ import annotations

from typing import Literal

from genwright.core import Component
from genwright.systems.prompts.pattern import Call, Pattern, PatternConfig, Turns
from genwright.systems.requests import Chat


class RefinementConfig(PatternConfig):
    """`refine` asks for a better question. Both are then shown, so that nothing of the first is lost."""

    kind: Literal["refinement"] = "refinement"
    refine: str = (
        "Rewrite this request so that it is exact and complete. Write the new request only.\n\n"
        "{% if instruction %}{{ instruction }}\n\n{% endif %}{{ input }}"
    )
    template: str = "{% if instruction %}{{ instruction }}\n\n{% endif %}{{ input }}\n\nIn other words: {{ refined }}"


class Refinement(Pattern[RefinementConfig]):
    """Two calls."""

    def turns(self, chat: Chat, /) -> Turns:
        """The better question, then its answer."""
        (refined,) = yield Call(self.asked(chat, template=self.config.refine), temperature=0.0)
        (text,) = yield Call(self.asked(chat, refined=refined.strip()), stop=self.config.stop, last=True)
        return text


REFINEMENT = Component("refinement", RefinementConfig, "genwright.systems.prompts.refinement:Refinement")
