"""Settings of the families and of the one sampler. Imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field

from genwright.core import Component, Config, component_field
from genwright.core.representations import Representation, Shape, TokenShape
from genwright.nets import LstmConfig, NetConfig, TransformerConfig, TreesConfig

# Hidden entries per layer of the dial over a fixed layout, by order.
CELL_WIDTHS = {"any": 44, "layout": 32}
TREES_NOT_PRIVATE = "trees are no sum of steps whose gradients could be clipped"
TREES_UNTOLD = "trees take no condition; give known columns when rows are drawn"
CELL_RATE = 0.004  # AdamW's, of the perceptron over cells with ids of their own


def has_own_ids(shape: Shape, /) -> bool:
    """Whether samples have a fixed layout of cells whose ids tell which cell they stand in (columns of a table)."""
    if not isinstance(shape, TokenShape) or not shape.cells:
        return False
    ends = sorted((first, first + count) for first, count in shape.cells)
    return all(end <= first for (_, end), (first, _) in pairwise(ends))


class FamilyConfig(Config):
    """Settings of a family; it holds the settings of its nets, whose open widths a depth fills in."""

    kind: str

    @abstractmethod
    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with every width filled in."""

    @abstractmethod
    def num_parameters(self, *, shape: Shape) -> int | None:
        """How many parameters the resolved family has; None where only building it tells."""

    @abstractmethod
    def learning_rate(self) -> float:
        """AdamW's learning rate where none is asked for."""

    def not_private(self, representation: Representation, /) -> str | None:
        """Why the family cannot be trained with differential privacy; None where each row has a loss of its own."""
        del representation
        return "it has no loss of each row alone"

    def embeds(self, representation: Representation, /, *, own_ids: bool) -> bool:
        """Whether samples have an embedding; `own_ids` as of the codec. True where only building the family tells."""
        del representation, own_ids
        return True

    def guides(self) -> bool:
        """Whether it can exaggerate a condition. True where only sampling tells."""
        return True


class AutoregressiveConfig(FamilyConfig):
    """Next-token prediction over one causal net; over a fixed layout of cells, a net of its own.

    With `order = "any"` a perceptron predicts any cell given any others, with `order = "layout"` a causal net
    each cell from those before. Left open it is "any" where ids tell which cell they stand in (columns of a table), and
    "layout" where cells share ids (codes of an image). `cell_width` and `cell_layers` are of that net, and of
    the causal net for sequences that are told a condition, which has those of `net` where they are left open. Of `net`
    the causal nets take the kind, transformer or lstm, and every net the dropout. With `net = { kind = "trees" }` trees
    stand in the place of the perceptron: fitted in one pass whatever the budget, on all rows at once.
    """

    kind: Literal["autoregressive"] = "autoregressive"
    net: component_field("nets") = Field(default_factory=TransformerConfig)  # type: ignore[valid-type]
    cell_width: int | None = Field(default=None, ge=8, le=16_384)
    cell_layers: int | None = Field(default=None, ge=1, le=64)
    order: Literal["any", "layout"] | None = None

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with the net's shapes filled in.

        Raises:
            ValueError: any order is asked for where cells share ids.
        """
        assert isinstance(shape, TokenShape), "this family accepts tokens only"
        if shape.cells:
            return self._resolve_cells(depth, shape)
        net = self._net().resolve(depth=depth, vocab_size=shape.vocab_size)
        if shape.cond_size:
            return self._resolve_conditioned(net)
        return self.model_copy(update={"net": net})

    def _resolve_conditioned(self, net: NetConfig) -> Self:
        assert isinstance(net, TransformerConfig | LstmConfig)
        width, layers = self.cell_width or net.d_model, self.cell_layers or net.num_layers
        return self.model_copy(update={"net": net, "order": "layout", "cell_width": width, "cell_layers": layers})

    def _resolve_cells(self, depth: int, shape: TokenShape) -> Self:
        shared = not has_own_ids(shape)
        if shared and self.order == "any":
            raise ValueError("order = 'any' needs cells with ids of their own; these share ids: use order = 'layout'")
        if self.trees and (shared or shape.cond_size):
            why = TREES_UNTOLD if shape.cond_size else "trees need columns of a table"
            raise ValueError(f"net.kind = 'trees': {why}")
        if not self.trees:
            self._net()
        order = self.order or ("layout" if shared else "any")
        if order == "any" and self.recurrent:
            raise ValueError("order = 'any' is a perceptron, not a causal net: leave net out, or use order = 'layout'")
        width = self.cell_width or CELL_WIDTHS[order] * depth
        layers = self.cell_layers or (1 + depth // 8 if order == "any" else depth)
        return self.model_copy(update={"order": order, "cell_width": width, "cell_layers": layers})

    def num_parameters(self, *, shape: Shape) -> int | None:
        """The net's count; for a fixed layout it is counted once built."""
        assert isinstance(shape, TokenShape), "this family accepts tokens only"
        return None if shape.cells or shape.cond_size else self._net().num_parameters(vocab_size=shape.vocab_size)

    def learning_rate(self) -> float:
        """The net's; over a fixed layout 0.004 in any order, and that of a causal net of this width in its own."""
        if self.trees:
            return 0.0
        if self.cell_width and self.order == "layout":
            return float((0.005 if self.recurrent else 0.003) * (512 / self.cell_width) ** 0.5)
        return CELL_RATE if self.cell_width else self._net().learning_rate()

    def not_private(self, representation: Representation, /) -> str | None:
        """None, but for a mixture of experts and for trees."""
        del representation
        if self.trees:
            return TREES_NOT_PRIVATE
        mixed = isinstance(self.net, TransformerConfig) and self.net.num_experts
        return "a mixture of experts balances the rows of a batch" if mixed else None

    def embeds(self, representation: Representation, /, *, own_ids: bool) -> bool:
        """Not in any order, and not by trees."""
        del representation
        return not self.trees and (not own_ids or self.order == "layout")

    def guides(self) -> bool:
        """Not by trees, which take no condition."""
        return not self.trees

    @property
    def recurrent(self) -> bool:
        """Whether the net is an LSTM."""
        return isinstance(self.net, LstmConfig)

    @property
    def trees(self) -> bool:
        """Whether trees stand in the place of a net."""
        return isinstance(self.net, TreesConfig)

    @property
    def dropout(self) -> float:
        """That of the net."""
        return self.net.dropout if isinstance(self.net, TransformerConfig | LstmConfig) else 0.0

    def _net(self) -> NetConfig:
        if not isinstance(self.net, NetConfig):
            raise ValueError(
                f"family 'autoregressive' takes transformer, lstm, or over columns trees, not '{self.net.kind}'"
            )
        return self.net


class SamplingConfig(Config):
    """How the next token is drawn. Off: temperature 1, top_k 0, top_p 1, min_p 0, penalty 1. Greedy: temperature 0."""

    temperature: float = Field(default=1.0, ge=0.0, le=100.0)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    min_p: float = Field(default=0.0, ge=0.0, le=1.0)
    repetition_penalty: float = Field(default=1.0, gt=0.0, le=10.0)


AUTOREGRESSIVE = Component(
    kind="autoregressive",
    config=AutoregressiveConfig,
    factory="genwright.families.autoregressive:build",
    accepts=("tokens",),
    extra="train",
    stream=True,
)
