"""Settings of the diffusion family. Imports no torch."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field

from genwright.core import Component, component, component_field
from genwright.core.representations import GridShape, Representation, Shape, representation_of
from genwright.families.config import (
    CELL_RATE,
    CELL_WIDTHS,
    TREES_NOT_PRIVATE,
    TREES_UNTOLD,
    FamilyConfig,
    has_own_ids,
)
from genwright.nets import BackboneConfig, MaskedTreesConfig
from genwright.nets.backbones import MlpConfig

NETS = {"grid": "unet", "vector": "mlp", "tokens": "bidirectional"}
STEPS = {"grid": 18, "vector": 32, "tokens": 64}
_Net: Any = component_field("nets", optional=True)


class DiffusionConfig(FamilyConfig):
    """From noise to data in `steps` steps: Gaussian noise on vectors and images, masks on tokens.

    `net` is unet or dit over images, mlp over vectors and over cells with ids of their own (columns of a table), where
    masked-trees may stand in its place, bidirectional over tokens of any kind. `objective`, `sampler`, `sigma_data`,
    `sigma_max` and `guided_below` are for vectors and images. `sigma_data` is the deviation of the data: left open, 0.5
    for images and 1 for numbers. Guidance acts on noise of at most `guided_below` (on all where it is left open): at
    more it costs variety (arXiv:2404.07724).

    `likelihood_points` is how many numbers of masked tokens the bound on a token sequence's likelihood is averaged
    over. Tokens are trained with at least the share `least_masked` of them masked: steps with few masked tokens weigh
    as much as others and say little (arXiv:2503.09573, clipped schedules); the bound is of all shares.
    """

    kind: Literal["diffusion"] = "diffusion"
    net: _Net = None
    objective: Literal["flow", "edm"] = "edm"
    sampler: Literal["heun", "euler", "ancestral"] = "heun"
    steps: int | None = Field(default=None, ge=1, le=10_000)
    sigma_data: float | None = Field(default=None, gt=0.0)
    sigma_max: float = Field(default=80.0, gt=0.0)
    guided_below: float | None = Field(default=None, gt=0.0)
    likelihood_points: int = Field(default=16, ge=1, le=10_000)
    least_masked: float = Field(default=0.0, ge=0.0, lt=1.0)
    default_rate: float | None = Field(default=None, gt=0.0)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """The same settings with the net and the steps filled in.

        Raises:
            ValueError: the net does not work on that representation.
        """
        made = representation_of(shape)
        if self.trees:
            return self._resolve_trees(shape)
        usual = "mlp" if has_own_ids(shape) else NETS[made]
        net = component("nets", usual).config() if self.net is None else self.net
        kind = getattr(net, "kind", "?")
        if not isinstance(net, BackboneConfig) or (kind != usual and made not in component("nets", kind).accepts):
            raise ValueError(f"family 'diffusion' over a {made} takes a net such as '{usual}', not '{kind}'")
        filled: dict[str, Any] = {"steps": self.steps or STEPS[made]}
        if isinstance(net, MlpConfig) and has_own_ids(shape):
            filled["default_rate"] = self.default_rate or CELL_RATE
            sizes = {"width": net.width or CELL_WIDTHS["any"] * depth, "num_layers": net.num_layers or 1 + depth // 8}
            net = net.model_copy(update=sizes)
        filled["net"] = net.resolve(depth=depth)
        filled["sigma_data"] = self.sigma_data or (0.5 if isinstance(shape, GridShape) else 1.0)
        return self.model_copy(update=filled)

    def _resolve_trees(self, shape: Shape) -> Self:
        if not has_own_ids(shape):
            raise ValueError("net.kind = 'masked-trees': trees need columns of a table, as tokens")
        if shape.cond_size:
            raise ValueError("net.kind = 'masked-trees': " + TREES_UNTOLD)
        return self

    @property
    def trees(self) -> bool:
        """Whether trees stand in the place of a net."""
        return isinstance(self.net, MaskedTreesConfig)

    def num_parameters(self, *, shape: Shape) -> None:
        """Counted once it is built."""
        del shape

    def not_private(self, representation: Representation, /) -> str | None:
        """None, but for trees: each row has a noise level and a loss of its own."""
        del representation
        return TREES_NOT_PRIVATE if self.trees else None

    def embeds(self, representation: Representation, /, *, own_ids: bool) -> bool:
        """Over tokens, where the net is one of sequences."""
        return (
            representation == "tokens"
            and not self.trees
            and (self.net.kind != "mlp" if self.net is not None else not own_ids)
        )

    def learning_rate(self) -> float:
        """The net's; over cells with ids of their own that of autoregression in any order."""
        if self.trees:
            return 0.0
        assert isinstance(self.net, BackboneConfig), "resolve() first"
        return self.default_rate or self.net.learning_rate()


DIFFUSION = Component(
    kind="diffusion",
    config=DiffusionConfig,
    factory="genwright.families.diffusion:diffusion",
    accepts=("tokens", "vector", "grid"),
    extra="train",
)
