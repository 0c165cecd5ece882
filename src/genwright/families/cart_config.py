"""Settings of the sequence of trees. Imports no torch."""

from typing import Literal, Self

from pydantic import Field

from genwright.core import Component
from genwright.core.representations import Representation, Shape, TokenShape
from genwright.families.config import FamilyConfig


class CartConfig(FamilyConfig):
    """A decision tree for each cell, on the cells before it; leaves hold `min_leaf` train rows or more.

    `smoothing` rows of each leaf's are those of the whole train split, and one row of that is uniform: nothing is
    impossible, and few samples show it.
    """

    kind: Literal["cart"] = "cart"
    min_leaf: int = Field(default=8, ge=1, le=100_000)
    smoothing: float = Field(default=0.02, gt=0.0, le=1000.0)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """Nothing is open.

        Raises:
            ValueError: the tokens have no fixed layout.
        """
        del depth
        if not isinstance(shape, TokenShape):
            raise ValueError("family 'cart' works on tokens")
        return self

    def num_parameters(self, *, shape: Shape) -> None:
        """Counted once it is fitted."""
        del shape

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


CART = Component(
    kind="cart",
    config=CartConfig,
    factory="genwright.families.cart:Cart",
    accepts=("tokens",),
    extra="train",
)
