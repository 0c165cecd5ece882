"""The train stage: a model from the train split, within a budget."""

from genwright.stages.train.config import STAGE, TrainConfig

__all__ = ["STAGE", "TrainConfig"]
