"""Members of packages and of local archives as plain files; downloaded once, offline afterwards."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from genwright.core import DataError, IntegrityError
from genwright.core.digest import file_digest, json_digest
from genwright.core.stage import Progress
from genwright.modalities.files import archives
from genwright.modalities.files.address import Address, address_of, is_web
from genwright.modalities.files.archives import Member, check
from genwright.modalities.files.cache import Package, cache_folder, copies, members_of, recorded, stored
from genwright.modalities.files.config import FilesConfig, WebFilesConfig
from genwright.modalities.files.download import download
from genwright.modalities.files.fence import inside, refuse_outside
from genwright.modalities.files.pages import is_kept, page_of
from genwright.modalities.files.patterns import excluded, matching


def fetch(sources: Iterable[FilesConfig], /, *, progress: Progress) -> None:
    """Downloads the packages and pages that are not in the cache yet.

    Raises:
        DataError: one cannot be had.
    """
    for source in sources:
        if isinstance(source, WebFilesConfig) and is_web(source.path):
            if not is_kept(source):
                with progress.task(f"fetch {source.path}", total=None) as task:
                    task.advance(page_of(source).path.stat().st_size)
            continue
        address = address_of(source.path)
        if address is None or address.kind == "archive" or recorded(_folder(address, source)):
            continue
        with progress.task(f"download {address}", total=None) as task:
            package = _downloaded(address, source)
            task.advance(package.path.stat().st_size, note=package.path.name)


def package_of(source: FilesConfig, /, *, root: Path) -> Package | None:
    """The archive of a source, downloaded where it is not in the cache; None for plain files.

    Raises:
        DataError: it cannot be had.
        SpecError: the path of a local archive steps out of the project.
    """
    address = address_of(source.path)
    if address is None:
        return None
    if address.kind == "archive":
        return _local(address, source, root)
    return recorded(_folder(address, source)) or _downloaded(address, source)


def identity(source: FilesConfig, /, *, root: Path) -> list[str | None] | None:
    """What stands for an archive or a page in a cache key, without a download; None for plain files.

    A published version does not change, so name, version and pin are enough, as are a page's address and pin: what is
    in the cache stays. A local archive is hashed.

    Raises:
        DataError: a local archive is not there.
        SpecError: its path steps out of the project.
    """
    if isinstance(source, WebFilesConfig) and is_web(source.path):
        return [source.path, source.sha256]
    address = address_of(source.path)
    if address is None:
        return None
    if address.kind == "archive":
        return [address.member, _local(address, source, root).sha256]
    return [str(address), *([address.piece] if address.piece else []), address.member, source.sha256]


def provenance(source: FilesConfig, /, *, root: Path) -> str:
    """A datasheet's words on the archive that a source was read from; empty for plain files."""
    if isinstance(source, WebFilesConfig) and is_web(source.path):
        return f", fetched (SHA-256 {page_of(source).sha256})"
    package = package_of(source, root=root)
    if package is None:
        return ""
    licence = f", package licence {source.package_licence}" if source.package_licence else ""
    return f" from {package.path.name} (SHA-256 {package.sha256}{licence})"


def unpacked(source: FilesConfig, package: Package, /) -> dict[str, Path]:
    """The members that a source names, by name, as read-only files in the cache.

    Raises:
        DataError: nothing matches, or a member may not be unpacked.
        IntegrityError: the archive is not what was downloaded, or not what is pinned.
    """
    address = address_of(source.path)
    assert address is not None, f"{source.path} names no archive"
    members = members_of(package)
    chosen = [members[name] for name in matching(members, address.member) if not excluded(name, source.exclude)]
    if not chosen:
        raise DataError(f"{package.path.name} has no member like '{address.member}'", hint=_examples(members))
    for member in chosen:
        check(member, archive=package.path, limit_bytes=source.max_member_bytes)
    files = copies(package, chosen)
    _check_pin(source, package, files)
    return files


def _folder(address: Address, source: FilesConfig) -> Path:
    if address.kind == "deb":
        return cache_folder() / "deb" / address.name / (address.version or "candidate")
    name = re.sub(r"[-_.]+", "-", address.name).lower()
    piece = f"-{json_digest(address.piece)[:16]}" if address.piece else ""
    return cache_folder() / "pypi" / name / str(address.version) / (("sdist" if source.sdist else "wheel") + piece)


def _downloaded(address: Address, source: FilesConfig) -> Package:
    def fetched(folder: Path) -> Path:
        if address.parts:
            return _joined(address, source, folder)
        return download(address, sdist=source.sdist, folder=folder)

    return stored(_folder(address, source), fetched)


def _joined(address: Address, source: FilesConfig, folder: Path) -> Path:
    """The archive whose pieces lie in several packages, in an empty `folder`; the packages themselves are not kept.

    Raises:
        DataError: one cannot be had, or has not the one piece.
    """
    whole = folder / f"{address.name}-{address.version}-joined"
    with whole.open("wb") as out:
        for number, part in enumerate(address.parts):
            scratch = folder / f"part-{number}"
            scratch.mkdir()
            path = download(part, sdist=source.sdist, folder=scratch)
            members = {one.name: one for one in archives.index(path)}
            names = matching(members, part.member)
            if len(names) != 1:
                raise DataError(
                    f"{path.name} has {len(names)} members like '{part.member}', and one is a piece of the archive",
                    hint=_examples(members),
                )
            check(members[names[0]], archive=path, limit_bytes=source.max_member_bytes)
            archives.copy(path, names, folder=scratch)
            with (scratch / names[0]).open("rb") as piece:
                shutil.copyfileobj(piece, out)
            shutil.rmtree(scratch)
    return whole


def _local(address: Address, source: FilesConfig, root: Path) -> Package:
    absolute = address.name.startswith("/")
    path = Path(address.name) if absolute else inside(address.name, root, source=source.path)
    refuse_outside(path, None if absolute else root, source=source.path)
    if not path.is_file():
        raise DataError(
            f"source '{source.path}': there is no file {path}",
            hint="write archive:PATH!MEMBER, with PATH below the project's folder or absolute",
        )
    sha256 = file_digest(path)
    return Package(path, sha256, cache_folder() / "archive" / sha256)


def _examples(members: Mapping[str, Member]) -> str:
    names = sorted((name for name in members if ".dist-info/" not in name), key=lambda name: -members[name].size_bytes)
    return f"its largest of {len(members):,} members: {', '.join(names[:3]) or 'none'}"


def _check_pin(source: FilesConfig, package: Package, files: Mapping[str, Path]) -> None:
    """The pin is that of the archive; or of the one member, or of the list of several with their digests."""
    if source.sha256 in (None, package.sha256):
        return
    digests = [[name, file_digest(path)] for name, path in sorted(files.items())]
    actual = digests[0][1] if len(digests) == 1 else json_digest(digests)
    if actual != source.sha256:
        raise IntegrityError(
            f"source '{source.path}' is pinned to SHA-256 {source.sha256}, but {package.path.name} has "
            f"{package.sha256}, and what is read of it {actual}",
            hint="do not use it unless you know why it changed; then correct sha256",
        )
