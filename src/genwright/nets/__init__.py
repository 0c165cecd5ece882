"""Backbones over a representation. The door is torch-free; classes load through the registry."""

from genwright.nets.backbones import BackboneConfig, BidirectionalConfig, DitConfig, MlpConfig, UNetConfig
from genwright.nets.config import LSTM, TRANSFORMER, LstmConfig, NetConfig, SizedConfig, TransformerConfig
from genwright.nets.dial import Scale, Size, scale_for
from genwright.nets.trees_config import MaskedTreesConfig, TreesConfig

__all__ = [
    "LSTM",
    "TRANSFORMER",
    "BackboneConfig",
    "BidirectionalConfig",
    "DitConfig",
    "LstmConfig",
    "MaskedTreesConfig",
    "MlpConfig",
    "NetConfig",
    "Scale",
    "Size",
    "SizedConfig",
    "TransformerConfig",
    "TreesConfig",
    "UNetConfig",
    "scale_for",
]
