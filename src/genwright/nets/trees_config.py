"""Settings of decision trees that stand where a net would, over cells with ids of their own. Imports no torch."""

from typing import Literal

from pydantic import Field

from genwright.core import Component, Config


class TreesConfig(Config):
    """`num_trees` trees for each cell, on the cells before it, in each of `num_orders` random orders.

    Each tree is grown on a random `share` of the rows, and its leaves hold `min_leaf` rows or more; `smoothing` rows of
    each leaf's are those of the whole train split, and one row of that is uniform: nothing is impossible.
    """

    kind: Literal["trees"] = "trees"
    num_orders: int = Field(default=16, ge=1, le=1000)
    num_trees: int = Field(default=2, ge=1, le=1000)
    share: float = Field(default=0.6, gt=0.0, le=1.0)
    min_leaf: int = Field(default=20, ge=1, le=100_000)
    smoothing: float = Field(default=0.02, gt=0.0, le=1000.0)


TREES = Component(
    kind="trees", config=TreesConfig, factory="genwright.nets.trees:grow", accepts=("tokens",), extra="train"
)


class MaskedTreesConfig(Config):
    """`num_trees` trees for each cell, on any of the other cells.

    Each sees `copies` of every row, in each of which a random number of cells is known. Leaves hold `min_leaf` copies
    or more; `smoothing` as of trees in orders.
    """

    kind: Literal["masked-trees"] = "masked-trees"
    num_trees: int = Field(default=12, ge=1, le=1000)
    copies: int = Field(default=12, ge=1, le=1000)
    min_leaf: int = Field(default=10, ge=1, le=100_000)
    smoothing: float = Field(default=0.02, gt=0.0, le=1000.0)


MASKED_TREES = Component(
    kind="masked-trees",
    config=MaskedTreesConfig,
    factory="genwright.nets.masked_trees:grow_masked",
    accepts=("tokens",),
    extra="train",
)
