"""Pages of the web as files: fetched once, offline afterwards."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from genwright.core import IntegrityError
from genwright.modalities.files.cache import Package, cache_folder, recorded, stored
from genwright.modalities.files.config import WebFilesConfig
from genwright.modalities.files.web import fetched


def page_of(source: WebFilesConfig, /) -> Package:
    """The page of a source, fetched where it is not in the cache.

    Raises:
        DataError: it cannot be had, or must not be.
        IntegrityError: it is not what is pinned.
    """
    found = recorded(_folder(source)) or stored(_folder(source), lambda folder: _fetched(source, folder))
    if source.sha256 not in (None, found.sha256):
        raise IntegrityError(
            f"source '{source.path}' is pinned to SHA-256 {source.sha256}, and the page has {found.sha256}",
            hint=f"read it before you correct sha256; to fetch it again, delete {found.folder}",
        )
    return found


def is_kept(source: WebFilesConfig, /) -> bool:
    """Whether the page is in the cache."""
    return recorded(_folder(source)) is not None


def _folder(source: WebFilesConfig) -> Path:
    return cache_folder() / "web" / sha256(source.path.encode()).hexdigest()


def _fetched(source: WebFilesConfig, folder: Path) -> Path:
    page = fetched(source.path, limit_bytes=source.max_page_bytes, seconds=source.fetch_seconds)
    path = folder / f"page.{page.suffix}"
    path.write_bytes(page.data)
    return path
