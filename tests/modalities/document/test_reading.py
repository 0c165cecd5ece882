"""Documents out of files of every format, and what is refused."""

import gzip
import json
import sys
import zipfile
from pathlib import Path

import pytest

from genwright.core import DataError, SpecError
from genwright.core.protocols import RowModality, Unreadable
from genwright.modalities.document.config import DocumentSourceConfig
from genwright.modalities.document.document import Document
from genwright.modalities.document.modality import DocumentModality, documents_of
from genwright.modalities.document.reading import read_documents

sys.path.insert(0, str(Path(__file__).parents[1]))
from office import docx, pdf


def source(path, **fields) -> DocumentSourceConfig:
    return DocumentSourceConfig.parse({"path": path, **fields}, where="source")


def read(root, path, **fields):
    return list(read_documents(source(path, **fields), root=root))


def put(root, name, data):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_formats_follow_from_names(tmp_path):
    put(tmp_path, "a.md", "---\nx: 1\n---\n# Apples\n\nwords\n")
    put(tmp_path, "b.rst.txt", "Pears\n=====\n\nwords\n")
    put(tmp_path, "c.txt", "just words")
    put(tmp_path, "d.rst.gz", gzip.compress(b"Figs\n====\n\nwords\n"))
    put(tmp_path, "e.html", "<h1>Plums</h1><p>words</p>")
    put(tmp_path, "f.pdf", pdf("Grapes"))
    put(tmp_path, "g.docx", docx("Cherries"))
    found = read(tmp_path, "*.*", licence="CC0-1.0", name="fruit")
    assert [(one.id, one.title, one.format) for one in found] == [
        ("a.md", "Apples", "markdown"),
        ("b.rst.txt", "Pears", "rst"),
        ("c.txt", "c", "text"),
        ("d.rst.gz", "Figs", "rst"),
        ("e.html", "Plums", "markdown"),
        ("f.pdf", "f", "text"),
        ("g.docx", "g", "markdown"),
    ]
    assert found[0].text == "# Apples\n\nwords\n"
    assert (found[0].licence, found[0].source) == ("CC0-1.0", "fruit")


def test_topics_are_documents_with_addresses():
    pattern = "https://docs.example.org/{stem}.html#{key}"
    found = read(Path(), "python:pydoc_data/topics.py", url=pattern, strip="python:pydoc_data/")
    with_ = next(one for one in found if one.id == "python:pydoc_data/topics.py#with")
    assert with_.title == 'The "with" statement'
    assert with_.url == "https://docs.example.org/topics.html#with"
    assert len({one.id for one in found}) == len(found) > 70


def test_addresses_are_quoted_and_cannot_be_scripts(tmp_path):
    put(tmp_path, "a b&c.md", "words")
    assert read(tmp_path, "a b&c.md", url="https://x.org/{stem}")[0].url == "https://x.org/a%20b%26c"
    for wrong in (
        "javascript:{stem}",
        "https://x.org/{nothing}",
        "https://x.org/{stem",
        "https://x.org/{stem.__class__}",
    ):
        with pytest.raises(SpecError, match="url"):
            source("a", url=wrong)


def test_lines_of_json(tmp_path):
    rows = [{"id": "one", "title": "One", "text": "words", "url": "https://x.org/1"}, {"text": "more words"}]
    put(tmp_path, "d.jsonl", "\n".join(map(json.dumps, rows)))
    first, second = read(tmp_path, "d.jsonl")
    assert first == Document("one", "One", "words", "text", "d.jsonl", "unknown", "https://x.org/1")
    assert (second.id, second.title) == ("d.jsonl#2", "2")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": 1}', "no-text-field"),
        ("{", "not-json"),
        ("[]", "not-json"),
        ('{"text": "x", "url": "javascript:alert(1)"}', "bad-url"),
        ('{"text": "\\ud800"}', "broken-utf8"),
    ],
)
def test_broken_lines_are_named_or_dropped(tmp_path, line, reason):
    put(tmp_path, "d.jsonl", f'{{"text": "good"}}\n{line}\n')
    assert read(tmp_path, "d.jsonl", on_error="drop")[1] == Unreadable("d.jsonl#2", reason)
    with pytest.raises(DataError, match="2"):
        read(tmp_path, "d.jsonl")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.pdf", b"%PDF-1.4 broken", "corrupt"),
        ("a.docx", b"PK broken", "corrupt"),
        ("a.gz.md", b"\xff\xfe\x00", "wrong-encoding"),
        ("a.md.gz", gzip.compress(b"x" * 5000, mtime=0), "too-large"),
        ("a.md", "x" * 5000, "too-large"),
        ("a.bin", b"x", "unknown-format"),
    ],
)
def test_broken_and_huge_files_are_named_or_dropped(tmp_path, name, data, reason):
    put(tmp_path, name, data)
    assert read(tmp_path, name, on_error="drop", max_document_bytes=1000) == [Unreadable(name, reason)]
    with pytest.raises(DataError):
        read(tmp_path, name, max_document_bytes=1000)


def test_what_a_page_hides_is_not_read(tmp_path):
    hidden = [
        '<p style="display:none">',
        '<p style="visibility: hidden">',
        '<p style="opacity:0">',
        '<p style="opacity: 0; left: 1px">',
        '<p style="font-size:1px">',
        '<p style="font-size:0">',
        '<p style="color: transparent">',
        '<p style="position:absolute;left:-9999px">',
        "<p class=x style='color:red; OPACITY:0.0 !important'>",
        "<p hidden>",
    ]
    body = "".join(f"{tag}obey me</p>" for tag in hidden) + "<!-- obey me --><template>obey me</template>"
    put(tmp_path, "a.html", f'<h1>Title</h1>{body}<p style="opacity:0.5">seen</p><script>obey()</script>')
    (page,) = read(tmp_path, "a.html")
    assert "obey" not in page.text and "seen" in page.text


def test_word_documents_keep_their_structure(tmp_path):
    library = pytest.importorskip("docx")
    made = library.Document()
    made.add_heading("Guide", 1)
    made.add_paragraph("Words.")
    made.add_paragraph("Point", style="List Bullet")
    table = made.add_table(2, 2)
    for at, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"c|{at}"
    made.save(str(tmp_path / "a.docx"))
    (found,) = read(tmp_path, "a.docx")
    assert found.title == "Guide"
    assert "- Point" in found.text and "| c\\|0 | c\\|1 |\n| --- | --- |\n| c\\|2 |" in found.text


def _zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)


def test_archives_that_lead_out_or_swell_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _zip(tmp_path / "good.zip", docs__a="words")
    assert read(tmp_path, "archive:good.zip!docs/*", format="text")[0].text == "words"
    _zip(tmp_path / "out.zip", **{"..__a": "words"})
    with pytest.raises(DataError, match="leads out"):
        read(tmp_path, "archive:out.zip!*", format="text")
    _zip(tmp_path / "bomb.zip", a=b"0" * (30 << 20))
    with pytest.raises(DataError, match="times as many"):
        read(tmp_path, "archive:bomb.zip!a", format="text")


def test_a_document_that_swells_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", b" " * (20 << 20))
    assert read(tmp_path, "a.docx", on_error="drop") == [Unreadable("a.docx", "too-large")]


def test_paths_and_links_stay_in_the_project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    put(tmp_path, "secret.md", "secret")
    (root / "link.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(DataError, match="leads out"):
        read(root, "link.md")
    with pytest.raises(SpecError, match=r"steps out"):
        read(root, "../secret.md")


def test_rows_and_back(tmp_path):
    put(tmp_path, "a.md", "# A\n\nwords")
    put(tmp_path, "b.md", " ")
    modality = DocumentModality()
    assert isinstance(modality, RowModality)
    (table,) = modality.read(source("*.md"), root=tmp_path)
    assert table.column_names == ["id", "group", "title", "text", "format", "url", "split"]
    assert modality.validate(table) == [None, "empty"]
    assert next(documents_of([table])) == Document("a.md", "A", "# A\n\nwords", "markdown")
