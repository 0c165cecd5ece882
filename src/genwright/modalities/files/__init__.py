"""Which files a source names, for every modality: paths, globs, members of packages. Imports settings only."""

from genwright.modalities.files.config import FilesConfig

__all__ = ["FilesConfig"]
