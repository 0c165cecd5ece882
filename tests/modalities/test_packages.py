"""Members of packages: read as archives, pinned, and refused where they are not safe."""

import hashlib
import zipfile

import pytest

from genwright.core import DataError, IntegrityError, SpecError
from genwright.modalities.packages import members
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.sources import list_files

SPEC = "package:tables==1.0!tables/data/*.csv"


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel that lies in the cache already."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "genwright" / "packages" / "tables-1.0"
    folder.mkdir(parents=True)

    def make(entries):
        with zipfile.ZipFile(folder / "tables-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in entries.items():
                archive.writestr(name, data)

    return make


def test_members_are_copied_and_listed_by_name(wheel, tmp_path):
    wheel({"tables/data/b.csv": "2", "tables/data/a.csv": "1", "tables/__init__.py": "raise SystemExit", "x.csv": "3"})
    assert [(m.name, m.path.read_text()) for m in members(SPEC)] == [
        ("tables/data/a.csv", "1"),
        ("tables/data/b.csv", "2"),
    ]
    listed = list_files(SourceConfig(path=SPEC, exclude=("*/a.csv",)), root=tmp_path)
    assert [file.name for file in listed] == ["tables/data/b.csv"]


def test_a_pin_is_checked(wheel):
    wheel({"tables/data/a.csv": "1"})
    good = hashlib.sha256(b"1").hexdigest()
    assert members(SPEC, sha256=good)
    with pytest.raises(IntegrityError, match=good):
        members(SPEC, sha256="0" * 64)


@pytest.mark.parametrize("name", ["../../tables/data/a.csv", "/tables/data/a.csv"])
def test_members_that_lead_out_are_refused_or_not_seen(wheel, tmp_path, name):
    wheel({name: "1"})
    with pytest.raises(DataError, match=r"leads out|no member"):
        members(SPEC)
    with pytest.raises(DataError, match="leads out"):
        members("package:tables==1.0!" + ("../../tables/data/*.csv" if name.startswith("..") else "/tables/data/*.csv"))


def test_bombs_are_refused(wheel):
    wheel({"tables/data/a.csv": b"\0" * (4 << 20)})
    with pytest.raises(DataError, match="would unpack to 4,194,304 bytes"):
        members(SPEC)


def test_what_is_not_there_says_so(wheel, tmp_path):
    wheel({"tables/a.csv": "1"})
    with pytest.raises(DataError, match="no member like"):
        members(SPEC)
    with pytest.raises(SpecError, match="NAME==VERSION!MEMBER"):
        members("package:tables!a.csv")
    (tmp_path / "genwright" / "packages" / "tables-1.0" / "tables-1.0-py3-none-any.whl").write_bytes(b"no archive")
    with pytest.raises(DataError, match="no readable archive"):
        members(SPEC)
    with pytest.raises(DataError, match="cannot be downloaded"):
        members("package:no-such-package-of-this-name==0.0.0!a.csv")
