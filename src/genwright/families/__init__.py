"""Objectives and samplers over nets. The door is torch-free; classes load through the registry."""

from genwright.families.config import AUTOREGRESSIVE, AutoregressiveConfig, FamilyConfig, SamplingConfig

__all__ = ["AUTOREGRESSIVE", "AutoregressiveConfig", "FamilyConfig", "SamplingConfig"]
