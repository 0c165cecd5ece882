"""What a user meets: a model with its codec and its ways to be asked. The door is torch-free."""

from genwright.systems.load import load_system
from genwright.systems.manifest import (
    AnyManifest,
    DrawingConfig,
    GroundedManifest,
    Manifest,
    PropertiesManifest,
    ReaderManifest,
    backend_of,
    parts_of,
    read_manifest,
    write_manifest,
)

__all__ = [
    "AnyManifest",
    "DrawingConfig",
    "GroundedManifest",
    "Manifest",
    "PropertiesManifest",
    "ReaderManifest",
    "backend_of",
    "load_system",
    "parts_of",
    "read_manifest",
    "write_manifest",
]
