"""Artifacts on disk: folders addressed by the digest of their contents, all there or not at all."""

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from genwright.core.digest import FileEntry, entries_digest, folder_entries
from genwright.core.durable import sync
from genwright.core.errors import StorageError


class Store:
    """The folder `objects/`: `objects/ab/abcdef…/`, one folder per artifact."""

    def __init__(self, root: Path, /) -> None:
        self.root = root

    def path(self, digest: str, /) -> Path:
        """Where the artifact of that digest lies, or would lie."""
        return self.root / digest[:2] / digest

    def __contains__(self, digest: str) -> bool:
        return self.path(digest).is_dir()

    def digests(self) -> Iterator[str]:
        """Every digest that has a folder."""
        for shard in sorted(self.root.glob("??")):
            yield from sorted(entry.name for entry in shard.iterdir() if entry.is_dir())

    def adopt(self, folder: Path, /, *, files: tuple[FileEntry, ...]) -> str:
        """The digest under which `folder`, holding `files`, now lies in the store: moved by rename after fsync.

        Raises:
            StorageError: the disk refuses; what was there before is untouched.
        """
        digest = entries_digest(files)
        target = self.path(digest)
        try:
            if target.is_dir():
                shutil.rmtree(folder)
            else:
                _seal(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                folder.rename(target)
                sync(target.parent)
        except OSError as error:
            raise StorageError(
                f"cannot keep an artifact in {self.root}: {error}",
                hint="free disk space or make the folder writable, then run again",
            ) from error
        return digest

    def remove(self, digest: str, /) -> int:
        """The bytes freed by removing an artifact."""
        path = self.path(digest)
        freed = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        doomed = path.with_name(f"{path.name}.removing")
        path.rename(doomed)
        shutil.rmtree(doomed)
        return freed

    def problems(self, digest: str, expected: list[list[object]], /) -> list[str]:
        """What differs between the stored folder and the files recorded for it."""
        path = self.path(digest)
        if not path.is_dir():
            return [f"artifact {digest[:12]} is missing from the store"]
        wanted = {str(name): (size, sha) for name, size, sha in expected}
        there = {entry.path: (entry.size_bytes, entry.sha256) for entry in folder_entries(path)}
        found = [f"artifact {digest[:12]}: {name} is missing" for name in sorted(wanted.keys() - there.keys())]
        found += [f"artifact {digest[:12]}: {name} does not belong" for name in sorted(there.keys() - wanted.keys())]
        return found + [
            f"artifact {digest[:12]}: {name} is not what was stored"
            for name in sorted(wanted.keys() & there.keys())
            if wanted[name] != there[name]
        ]

    def sweep(self, known: set[str], /) -> list[str]:
        """The digests removed because no ledger row knows them (a process died between rename and row)."""
        for leftover in self.root.glob("??/*.removing"):
            shutil.rmtree(leftover)
        orphans = [digest for digest in self.digests() if digest not in known]
        for digest in orphans:
            self.remove(digest)
        return orphans


def _seal(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            sync(path)
            path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    for path in [*(p for p in folder.rglob("*") if p.is_dir()), folder]:
        sync(path)
