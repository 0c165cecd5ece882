"""Which files a source names, and which it may not."""

from pathlib import Path

import pytest

from genwright.core import DataError, SpecError
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.sources import list_files


@pytest.fixture
def root(tmp_path):
    """A project with texts in folders, beside a folder that is not part of it."""
    project, outside = tmp_path / "project", tmp_path / "outside"
    for name in ("corpus/b.txt", "corpus/deep/er/a.txt", "corpus/deep/c.md", "corpus/.hidden.txt", "top.txt"):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * len(name))
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    return project


def names(root, path, **fields):
    return [file.name for file in list_files(SourceConfig(path=path, **fields), root=root)]


def test_file_folder_and_glob(root):
    assert names(root, "top.txt") == ["top.txt"]
    assert names(root, "corpus") == ["corpus/b.txt", "corpus/deep/c.md", "corpus/deep/er/a.txt"]
    assert names(root, "corpus/**/*.txt") == ["corpus/b.txt", "corpus/deep/er/a.txt"]
    assert names(root, "corpus/*.txt") == ["corpus/b.txt"]
    assert names(root, "*/deep/[a-c].md") == ["corpus/deep/c.md"]


def test_exclude_crosses_folders_and_order_by_size(root):
    assert names(root, "corpus", exclude=("*/er/*",)) == ["corpus/b.txt", "corpus/deep/c.md"]
    (root / "corpus/b.txt").write_text("x" * 1000)
    assert names(root, "corpus", order="shortest-first")[-1] == "corpus/b.txt"


def test_absolute_path_hides_the_folders_of_this_machine(root):
    outside = root.parent / "outside"
    assert names(root, str(outside)) == ["outside/secret.txt"]
    assert names(root, f"{outside}/*.txt", name="mine") == ["mine/secret.txt"]


def test_library_of_the_running_python(root):
    assert names(root, "python:pydoc_data/topics.py") == ["python:pydoc_data/topics.py"]
    found = names(root, "python:**/*.py", exclude=("*/tests/*", "test/*"))
    assert "python:json/decoder.py" in found
    assert not [name for name in found if "site-packages" in name or name.startswith("python:test/")]


@pytest.mark.parametrize("path", ["../outside/secret.txt", "corpus/../../outside", "python:../secret.py", "hf:./../x"])
def test_a_path_that_steps_out_is_refused(root, path):
    from genwright.modalities.text.sources import hub_folder

    source = SourceConfig(path=path)
    with pytest.raises(SpecError, match=r"\.\."):
        hub_folder(source, root=root) if path.startswith("hf:") else list_files(source, root=root)


def test_links_out_of_the_project_are_refused(root):
    (root / "corpus/link.txt").symlink_to(root.parent / "outside/secret.txt")
    with pytest.raises(DataError, match="leads out"):
        names(root, "corpus")
    (root / "corpus/link.txt").unlink()
    (root / "corpus/linked").symlink_to(root.parent / "outside")
    with pytest.raises(DataError, match="leads out"):
        names(root, "corpus/**/*.txt")


def test_a_link_inside_the_project_counts(root):
    (root / "corpus/again.txt").symlink_to(root / "top.txt")
    assert "corpus/again.txt" in names(root, "corpus")


def test_no_match_says_where_it_looked(root):
    with pytest.raises(DataError, match="matches no file") as caught:
        names(root, "nothing/*.txt")
    assert str(root) in caught.value.message and caught.value.exit_code == 2


def test_shortest_first_is_for_whole_files():
    with pytest.raises(ValueError, match="shortest-first"):
        SourceConfig(path="x.jsonl", format="jsonl", order="shortest-first")


def test_listing_needs_no_heavy_library():
    import subprocess
    import sys

    code = (
        "import sys; import genwright.stages.data.config, genwright.stages.fit.config;"
        "import genwright.stages.data.fingerprint;"
        "print([name for name in ('numpy', 'pyarrow', 'torch', 'ftfy', 'tokenizers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_root_may_itself_be_a_link(root):
    alias = root.parent / "alias"
    alias.symlink_to(root)
    assert names(Path(alias), "top.txt") == ["top.txt"]
