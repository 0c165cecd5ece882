"""Settings of the Markov chain. Imports no torch."""

from typing import Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.core.representations import Representation, Shape, TokenShape
from genwright.families.config import FamilyConfig


class MarkovConfig(FamilyConfig):
    """Each token by the one `stride` positions before it.

    Where `stride` is left open it is the period of a fixed layout (the number of voices of a score: a chain for each),
    and 1 where the layout has none. `smoothing` counts are added to every transition, spread as the tokens alone.
    """

    kind: Literal["markov"] = "markov"
    stride: int | None = Field(default=None, ge=1, le=4096)
    smoothing: float = Field(default=1.0, gt=0.0)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with the stride filled in.

        Raises:
            ValueError: the samples are no tokens.
        """
        del depth
        if not isinstance(shape, TokenShape):
            raise ValueError("family 'markov' works on tokens")
        return self.model_copy(update={"stride": self.stride or _period(shape.cells)})

    def num_parameters(self, *, shape: Shape) -> int:
        """A count per pair of tokens, and per token of each of the first positions."""
        assert isinstance(shape, TokenShape)
        return shape.vocab_size * (shape.vocab_size + (self.stride or 1))

    def embeds(self, representation: Representation, /, *, own_ids: bool) -> bool:
        """Never."""
        del representation, own_ids
        return False

    def guides(self) -> bool:
        """Never."""
        return False

    def learning_rate(self) -> float:
        """Nothing is learnt by steps."""
        return 0.0


def _period(cells: tuple[tuple[int, int], ...]) -> int:
    """After how many positions the layout repeats; 1 where it does not, or has no cells."""
    for period in range(1, len(cells) // 2 + 1):
        if cells[period:] == cells[:-period]:
            return period
    return 1


MARKOV = Component(
    kind="markov",
    config=MarkovConfig,
    factory="genwright.families.markov:Markov",
    accepts=("tokens",),
    extra="train",
)
