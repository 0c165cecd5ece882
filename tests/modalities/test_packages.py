"""Members of archives: found, pinned, cached and, where they are not safe, refused."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from genwright.core import DataError, DependencyError, IntegrityError, SpecError, StorageError
from genwright.modalities.files import FilesConfig, streams
from genwright.modalities.files import cache as cache_module
from genwright.modalities.files import download as download_module
from genwright.modalities.files.packages import fetch, identity, provenance
from genwright.modalities.files.sources import list_files
from genwright.stages.data.config import config_for
from genwright.stages.data.fingerprint import fingerprint

RANDHIE = "package:statsmodels==0.15.0!statsmodels/datasets/randhie/src/randhie.csv"
RANDHIE_SHA256 = "fe64f3c8e987779daa6052dd756d9ce277e025330f5549126c7c2f6a3c9c5541"
FILES = {"tables/data/b.csv": b"2", "tables/data/a.csv": b"1", "tables/data/.c.csv": b"", "tables/__init__.py": b"1/0"}
WHEEL = FILES | {
    "tables-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tables\nVersion: 1.0\n",
    "tables-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "genwright" / "packages"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """pip's only registry is a folder with one wheel."""
    folder = tmp_path / "registry"
    folder.mkdir()
    make_zip(folder / "tables-1.0-py3-none-any.whl", WHEEL)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def make_zip(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def tar_bytes(entries, *, mode="w"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in entries.items():
            info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            content = b"" if isinstance(data, tarfile.TarInfo) else data
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zstd_bytes(data):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def deb_bytes(data, suffix):
    members = {"debian-binary": b"2.0\n", "control.tar": b"odd", f"data.tar{suffix}": data}
    out = b"!<arch>\n"
    for name, content in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}".encode() + b"`\n" + content
        out += b"\n" * (len(content) % 2)
    return out


def link(name, to, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def listed(path, root, **fields):
    return {file.name: file.path.read_bytes() for file in list_files(FilesConfig(path=path, **fields), root=root)}


class Titles:
    """A progress that remembers what it was told."""

    def __init__(self):
        self.titles, self.notes = [], []

    @contextmanager
    def task(self, title, /, *, total):
        self.titles.append(title)
        yield self

    def advance(self, amount=1, /, *, note=""):
        self.notes.append(note)


def test_a_wheel_is_downloaded_once_and_works_offline(registry, root, cache):
    source, progress = FilesConfig(path="package:Tables==1.0!tables/data/*.csv", exclude=("*/b.csv",)), Titles()
    fetch([source], progress=progress)
    assert (progress.titles, progress.notes) == (["download package:Tables==1.0"], ["tables-1.0-py3-none-any.whl"])
    (registry / "tables-1.0-py3-none-any.whl").unlink()
    fetch([source], progress=progress)
    (file,) = list_files(source, root=root)
    assert (file.name, file.path.read_bytes(), len(progress.titles)) == ("tables/data/a.csv", b"1", 1)
    archive = cache / "pypi" / "tables" / "1.0" / "wheel" / "tables-1.0-py3-none-any.whl"
    assert file.archive_sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(DataError, match=r"tables==2\.0 cannot be downloaded") as caught:
        list_files(FilesConfig(path="package:tables==2.0!x"), root=root)
    assert caught.value.exit_code == 2 and "archive:PATH!x" in caught.value.hint


def test_a_stop_during_the_download_leaves_nothing(registry, root, cache, monkeypatch):
    monkeypatch.setattr(cache_module, "file_digest", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        listed("package:tables==1.0!tables/data", root)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_file_a_folder_a_glob(root):
    make_zip(root / "a.zip", FILES)
    assert listed("archive:a.zip!tables/data/b.csv", root) == {"tables/data/b.csv": b"2"}
    assert listed("archive:a.zip!tables/data/.c.csv", root) == {"tables/data/.c.csv": b""}
    assert list(listed("archive:a.zip!tables/data", root)) == ["tables/data/a.csv", "tables/data/b.csv"]
    assert list(listed("archive:a.zip!**/[!a].csv", root)) == ["tables/data/b.csv"]
    with pytest.raises(DataError, match=r"no member like 'data/a\.csv'") as caught:
        listed("archive:a.zip!data/a.csv", root)
    assert "its largest of 4 members: tables/__init__.py" in caught.value.hint
    with pytest.raises(SpecError, match="is no glob"):
        listed("archive:a.zip![z-a].csv", root)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst", ""])
@pytest.mark.parametrize("kind", ["tar", "deb"])
def test_tars_and_debian_packages(root, kind, suffix):
    entries = {f"./{name}": data for name, data in FILES.items()} | {"./late.bin": os.urandom(100_001)}
    data = zstd_bytes(tar_bytes(entries)) if suffix == "zst" else tar_bytes(entries, mode=f"w:{suffix}")
    (root / "x.bin").write_bytes(deb_bytes(data, f".{suffix}".rstrip(".")) if kind == "deb" else data)
    assert listed("archive:x.bin!tables/data", root) == {"tables/data/a.csv": b"1", "tables/data/b.csv": b"2"}
    assert listed("archive:x.bin!late.bin", root) == {"late.bin": entries["./late.bin"]}


def test_an_archive_elsewhere_is_named_without_its_folder(root, tmp_path):
    make_zip(tmp_path / "a.zip", FILES)
    source = FilesConfig(path=f"archive:{tmp_path}/a.zip!tables/data/a.csv", package_licence="MIT")
    assert source.label == "archive:a.zip!tables/data/a.csv"
    digest = hashlib.sha256((tmp_path / "a.zip").read_bytes()).hexdigest()
    assert provenance(source, root=root) == f" from a.zip (SHA-256 {digest}, package licence MIT)"
    with pytest.raises(SpecError, match=r"\.\."):
        listed("archive:../a.zip!tables/data/a.csv", root)
    (root / "b.zip").symlink_to(tmp_path / "a.zip")
    with pytest.raises(DataError, match="leads out"):
        listed("archive:b.zip!tables/data/a.csv", root)
    with pytest.raises(DataError, match="there is no file"):
        listed("archive:c.zip!tables/data/a.csv", root)


def test_pins(root):
    make_zip(root / "a.zip", FILES)
    archive, member = hashlib.sha256((root / "a.zip").read_bytes()).hexdigest(), hashlib.sha256(b"1").hexdigest()
    for pin in (archive, member):
        assert listed("archive:a.zip!tables/data/a.csv", root, sha256=pin)
    assert listed("archive:a.zip!tables/data", root, sha256=archive)
    with pytest.raises(IntegrityError) as caught:
        listed("archive:a.zip!tables/data", root, sha256=member)
    several = re.search("what is read of it ([0-9a-f]{64})", caught.value.message)[1]
    assert {archive, member} <= set(re.findall("[0-9a-f]{64}", caught.value.message))
    assert listed("archive:a.zip!tables/data", root, sha256=several)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "C:/x", "..\\x"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_with_a_member_that_leads_out_is_not_read(root, cache, kind, name):
    entries = {"tables/a.csv": b"1", name: b"evil"}
    if kind == "zip":
        make_zip(root / "a.bin", entries)
    else:
        (root / "a.bin").write_bytes(tar_bytes(entries))
    with pytest.raises(DataError, match="leads out of the archive"):
        listed("archive:a.bin!tables/a.csv", root)
    assert not list(cache.rglob("*.csv"))


def test_links_are_refused_where_they_are_asked_for(root):
    links = {"s": link("tables/soft.csv", "/etc/passwd"), "h": link("tables/hard.csv", "tables/a.csv", tarfile.LNKTYPE)}
    (root / "a.tar").write_bytes(tar_bytes({"tables/a.csv": b"1", **links}))
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("tables/soft.csv")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert listed("archive:a.tar!tables/a.csv", root) == {"tables/a.csv": b"1"}
    for path in ("a.tar!tables/soft.csv", "a.tar!tables/hard.csv", "a.tar!tables/*.csv", "a.zip!tables"):
        with pytest.raises(DataError, match="is a link or no plain file"):
            listed(f"archive:{path}", root)


def test_what_unpacks_to_too_much_is_refused(root, monkeypatch):
    make_zip(root / "a.zip", {"zeros.csv": bytes(4 << 20), "a.csv": b"1234"})
    with pytest.raises(DataError, match=r"would unpack 4,\d\d\d bytes to 4,194,304, more than 200 times"):
        listed("archive:a.zip!zeros.csv", root)
    with pytest.raises(DataError, match="has 4 bytes, and max_member_bytes = 3"):
        listed("archive:a.zip!a.csv", root, max_member_bytes=3)
    monkeypatch.setattr(streams, "_FREE_BYTES", 1 << 20)
    (root / "a.tar.xz").write_bytes(tar_bytes({"a.csv": b"1", "zeros.csv": bytes(4 << 20)}, mode="w:xz"))
    with pytest.raises(DataError, match="unpacks to more than 1,048,576 bytes"):
        listed("archive:a.tar.xz!a.csv", root)


@pytest.mark.parametrize("suffix", ["zip", "gz", "xz", "zst", "deb", "txt"])
def test_broken_archives_say_so(root, suffix):
    noise = os.urandom(300_000)
    if suffix == "zip":
        make_zip(root / "x", {"a.csv": noise})
    elif suffix == "deb":
        (root / "x").write_bytes(deb_bytes(tar_bytes({"a.csv": noise}, mode="w:xz"), ".xz"))
    elif suffix == "zst":
        (root / "x").write_bytes(zstd_bytes(tar_bytes({"a.csv": noise})))
    else:
        (root / "x").write_bytes(noise if suffix == "txt" else tar_bytes({"a.csv": noise}, mode=f"w:{suffix}"))
    (root / "x").write_bytes((root / "x").read_bytes()[:200_000])
    with pytest.raises(DataError, match="no whole archive"):
        listed("archive:x!a.csv", root)


def test_a_wrong_checksum_inside_a_zip_leaves_no_copy(root, cache):
    make_zip(root / "a.zip", {"a.csv": os.urandom(5000)})
    data = bytearray((root / "a.zip").read_bytes())
    data[1000] ^= 1
    (root / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match="no whole archive"):
        listed("archive:a.zip!a.csv", root)
    assert not [path for path in cache.rglob("members/*") if path.is_file()]


def test_changed_copies_are_made_again_and_a_changed_archive_is_refused(registry, root, cache):
    path = "package:tables==1.0!tables/data/a.csv"
    (file,) = list_files(FilesConfig(path=path), root=root)
    assert not file.path.stat().st_mode & 0o222
    file.path.chmod(0o644)
    file.path.write_bytes(b"7")
    assert listed(path, root) == {"tables/data/a.csv": b"1"}
    archive = next(cache.rglob("*.whl"))
    archive.write_bytes(archive.read_bytes()[:-1] + b"!")
    with pytest.raises(IntegrityError, match="when it was downloaded"):
        listed("package:tables==1.0!tables/data/b.csv", root)


def test_planning_knows_a_package_by_its_name_and_a_local_archive_by_its_bytes(root, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("planning started a program"))
    path = "package:tables==1.0!tables/data/*.csv"
    assert identity(FilesConfig(path=path), root=root) == ["package:tables==1.0", "tables/data/*.csv", None]
    sections = [{"path": path}, {"path": path, "sha256": "0" * 64}, {"path": "package:tables==1.1!tables/data/*.csv"}]
    make_zip(root / "a.zip", FILES)
    sections.append({"path": "archive:a.zip!tables/data/*.csv"})
    tables = config_for("table")
    digests = [fingerprint(tables.parse({"sources": [one]}, where="data"), root) for one in sections]
    assert len(set(digests)) == 4
    make_zip(root / "a.zip", FILES | {"more": b""})
    assert fingerprint(tables.parse({"sources": [sections[-1]]}, where="data"), root) != digests[-1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"path": "package:tables!a.csv"}, "package:NAME==VERSION!MEMBER"),
        ({"path": "package:--index-url==1!a.csv"}, "package:NAME==VERSION!MEMBER"),
        ({"path": "package:tables==1.0"}, "MEMBER"),
        ({"path": "package:tables==1.0!/a.csv"}, "inside the archive"),
        ({"path": "deb:tables!../a.csv"}, "inside the archive"),
        ({"path": "deb:-o!a.csv"}, "deb:NAME!MEMBER"),
        ({"path": "a.csv", "sha256": "0" * 64}, "pins an archive"),
        ({"path": "deb:tables!a.csv", "sdist": True}, "sdist = true is for package:"),
        ({"path": "hf:tables"}, "read as text only"),
        ({"path": "package:tables==1.0!a.csv", "sha256": "abc"}, "sha256"),
    ],
)
def test_addresses_that_make_no_sense_are_refused_at_planning(fields, message):
    with pytest.raises(SpecError, match=message):
        FilesConfig.parse(fields, where="data.sources.0")


def test_clients_are_asked_for_one_archive_for_all_machines(root, monkeypatch):
    calls = []

    def run(command, *, cwd, env, **_):
        calls.append((command, env))
        make_zip(Path(cwd) / "x.deb", FILES)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(download_module.subprocess, "run", run)
    monkeypatch.setattr(download_module.shutil, "which", lambda name: "/usr/bin/apt-get")
    monkeypatch.setenv("PIP_CONSTRAINT", "constraints.txt")
    for path, sdist in (("package:t==1!tables", False), ("package:t==1!tables", True), ("deb:tt=1:2-3!tables", False)):
        assert listed(path, root, sdist=sdist)
    wheel, source, deb = (command for command, _ in calls)
    assert "--only-binary=:all:" in wheel and "3.11" in wheel and "manylinux_2_17_x86_64" in wheel
    assert "--no-binary=:all:" in source and "--platform" not in source
    assert all("--no-deps" in command and command[-1] == "t==1" for command in (wheel, source))
    assert deb == ["apt-get", "download", "--quiet", "tt=1:2-3"]
    assert not [env for _, env in calls if "PIP_CONSTRAINT" in env]


def test_what_is_missing_is_named(root, monkeypatch):
    monkeypatch.setattr(download_module.shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="apt-get") as caught:
        listed("deb:tables!usr/a.csv", root)
    assert "archive:PATH.deb!usr/a.csv" in caught.value.hint
    monkeypatch.setattr(download_module, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="pip") as caught:
        listed("package:tables==1.0!a.csv", root)
    assert "ensurepip" in caught.value.hint


def test_without_a_network_the_message_says_what_to_do(root, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(DataError, match="registry cannot be reached") as caught:
        listed("package:tables==1.0!a.csv", root)
    assert "archive:PATH!a.csv" in caught.value.hint


def test_a_cache_that_cannot_be_written_says_so(root, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    make_zip(root / "a.zip", FILES)
    with pytest.raises(StorageError, match="cannot be written") as caught:
        listed("archive:a.zip!tables", root)
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_nothing_of_a_package_is_imported(registry, root):
    code = (
        "import sys; from pathlib import Path; from genwright.modalities.files import FilesConfig;"
        "from genwright.modalities.files.sources import list_files;"
        "list_files(FilesConfig(path='package:tables==1.0!tables'), root=Path('.'));"
        "print([name for name in ('tables', 'torch', 'numpy', 'pyarrow', 'pickle') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


@pytest.mark.network
@pytest.mark.slow
def test_a_real_member_of_a_real_package(root):
    try:
        (file,) = list_files(FilesConfig(path=RANDHIE, sha256=RANDHIE_SHA256), root=root)
    except DataError as error:
        if "cannot be reached" not in error.message:
            raise
        pytest.skip(f"no package registry: {error.message}")
    assert file.path.read_bytes().startswith(b"plan,site,coins") and file.path.stat().st_size == 3_700_926


PIECES = "package:big-part-{08..10}==1.0!big_part_*/piece.bin!weights/*.bin"


def make_parts(registry, data, *, pieces=3):
    """An archive in pieces, one in each of three packages."""
    size = -(-len(data) // pieces)
    for number in range(8, 8 + pieces):
        piece = data[(number - 8) * size : (number - 7) * size]
        name = f"big_part_{number:02}"
        meta = f"Metadata-Version: 2.1\nName: big-part-{number:02}\nVersion: 1.0\n".encode()
        wheel = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        entries = {f"{name}/piece.bin": piece, f"{name}-1.0.dist-info/METADATA": meta}
        make_zip(registry / f"{name}-1.0-py3-none-any.whl", entries | {f"{name}-1.0.dist-info/WHEEL": wheel})


def zip_bytes(entries):
    buffer = io.BytesIO()
    make_zip(buffer, entries)
    return buffer.getvalue()


@pytest.mark.slow
def test_an_archive_may_come_in_several_packages(registry, root, cache):
    data = zip_bytes({"weights/a.bin": os.urandom(5000), "weights/b.bin": b"b", "readme": b"no"})
    make_parts(registry, data)
    source = FilesConfig(path=PIECES, sha256=hashlib.sha256(data).hexdigest())
    found = {file.name: file.path.read_bytes() for file in list_files(source, root=root)}
    assert set(found) == {"weights/a.bin", "weights/b.bin"} and found["weights/b.bin"] == b"b"
    assert [path.name for path in cache.rglob("*.whl")] == [], "the pieces are not kept beside the whole"
    shutil.rmtree(registry)
    assert listed(PIECES, root) == found, "offline from then on"
    assert identity(source, root=root) != identity(FilesConfig(path=PIECES.replace("piece", "p*")), root=root)


@pytest.mark.slow
def test_other_pieces_of_the_same_packages_are_another_archive(registry, root):
    archives = {name: zip_bytes({"w/data": name.encode()}) for name in ("a", "b")}
    for number in (1, 2):
        halves = {name: (data[:40], data[40:]) for name, data in archives.items()}
        pieces = {f"p/{name}.bin": half[number - 1] for name, half in halves.items()}
        meta = f"Metadata-Version: 2.1\nName: two-{number}\nVersion: 1.0\n".encode()
        wheel = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        info = {f"two_{number}-1.0.dist-info/METADATA": meta, f"two_{number}-1.0.dist-info/WHEEL": wheel}
        make_zip(registry / f"two_{number}-1.0-py3-none-any.whl", pieces | info)
    for name in archives:
        source = FilesConfig(path=f"package:two-{{1..2}}==1.0!p/{name}.bin!w/*")
        assert [file.path.read_bytes() for file in list_files(source, root=root)] == [name.encode()]
        assert "two-{1..2}-1.0-joined" in provenance(source, root=root)


@pytest.mark.slow
def test_a_lost_piece_is_named_and_nothing_is_kept(registry, root, cache):
    make_parts(registry, zip_bytes({"weights/a.bin": b"a"}), pieces=2)
    with pytest.raises(DataError, match=r"big-part-10==1\.0 cannot be downloaded"):
        listed(PIECES, root)
    make_parts(registry, zip_bytes({"weights/a.bin": b"a"}))
    with pytest.raises(DataError, match=r"big_part_08-1.0-py3-none-any.whl has 0 members like '\*/none.bin'"):
        listed(PIECES.replace("big_part_*/piece.bin", "*/none.bin"), root)
    assert not list(cache.rglob("*joined"))


@pytest.mark.parametrize("path", ["package:a{1..3}==1.0!b", "package:a{3..1}==1!b!c", "package:a{1..2}==1!../b!c"])
def test_pieces_are_written_in_one_way(path):
    with pytest.raises(SpecError, match=r"package:NAME\{1..4\}==VERSION!PIECE!MEMBER"):
        FilesConfig.parse({"path": path}, where="data.sources")
