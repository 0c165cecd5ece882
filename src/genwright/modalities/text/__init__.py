"""Text: prose and code. Imports settings only."""

from genwright.modalities.text.config import BpeConfig, BytesConfig, SourceConfig

__all__ = ["BpeConfig", "BytesConfig", "SourceConfig"]
