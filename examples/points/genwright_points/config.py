"""Settings and registry entries. Planning reads this file: no torch, numpy or pyarrow here."""

from typing import Literal, Self

from pydantic import Field

from genwright.core import Component, Config, ModalityComponent
from genwright.core.representations import Shape
from genwright.families import FamilyConfig
from genwright.modalities.files import FilesConfig


class PointsSourceConfig(FilesConfig):
    """A CSV file with the columns x and y."""


class PointsMetricsConfig(Config):
    """Nothing to set."""


class PointsCodecConfig(Config):
    """Points as standardised pairs."""

    kind: Literal["points-vector"] = "points-vector"


class KernelDensityConfig(FamilyConfig):
    """A normal kernel of width `bandwidth` on every training sample."""

    kind: Literal["kernel-density"] = "kernel-density"
    bandwidth: float = Field(default=0.2, gt=0.0)

    def resolve(self, *, depth: int, shape: Shape) -> Self:
        """Nothing is open."""
        del depth, shape
        return self

    def num_parameters(self, *, shape: Shape) -> None:
        """Counted once fitted: the training samples."""
        del shape

    def learning_rate(self) -> float:
        """Nothing is learnt by steps."""
        return 0.0


POINTS = ModalityComponent(
    "points",
    PointsSourceConfig,
    "genwright_points.modality:PointsModality",
    accepts=("vector",),
    codecs={"vector": "points-vector"},
    metrics=PointsMetricsConfig,
    baselines=(("kernel-density", "points-vector"),),
)
CODEC = Component(
    "points-vector",
    PointsCodecConfig,
    "genwright_points.codec:PointsCodec",
    accepts=("vector",),
    modalities=("points",),
)
DENSITY = Component("kernel-density", KernelDensityConfig, "genwright_points.family:KernelDensity", accepts=("vector",))
