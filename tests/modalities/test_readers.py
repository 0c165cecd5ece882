"""Each format is read, and each way a file can be broken is named."""

import gzip
import json
import sys
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genwright.core import DataError
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.modality import TextModality
from genwright.modalities.text.records import Unread

sys.path.insert(0, str(Path(__file__).parent))
from office import docx, pdf


def read(root, path, **fields):
    return list(TextModality().read(SourceConfig(path=path, **fields), root=root))


def texts(root, path, **fields):
    return [sample.text for sample in read(root, path, **fields)]


def put(root, name, data):
    (root / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return root / name


def test_text_whole_by_line_and_by_separator(tmp_path):
    put(tmp_path, "a.txt", "one\ntwo\n\nthree\n")
    assert texts(tmp_path, "a.txt") == ["one\ntwo\n\nthree\n"]
    assert texts(tmp_path, "a.txt", split_documents="line") == ["one", "two", "three"]
    found = read(tmp_path, "a.txt", split_documents="separator", licence="CC0-1.0")
    assert [(sample.id, sample.text) for sample in found] == [("a.txt#1", "one\ntwo"), ("a.txt#2", "three\n")]
    assert {sample.licence for sample in found} == {"CC0-1.0"}


def test_separator_across_blocks_and_letters(tmp_path):
    pieces = [letter * 70_001 for letter in "äöü€"]
    put(tmp_path, "a.txt", "<eod>".join(pieces))
    assert texts(tmp_path, "a.txt", split_documents="separator", separator="<eod>") == pieces


def test_groups(tmp_path):
    (tmp_path / "d").mkdir()
    put(tmp_path, "d/a.txt", "one\ntwo")
    for by, expected in (("document", {"d/a.txt#1", "d/a.txt#2"}), ("file", {"d/a.txt"}), ("folder", {"d"})):
        assert {s.group for s in read(tmp_path, "d/a.txt", split_documents="line", group_by=by)} == expected


def test_jsonl_with_named_fields(tmp_path):
    rows = [{"body": "eins", "key": "k1", "site": "s"}, {"body": "zwei", "key": "k2", "site": "s"}]
    put(tmp_path, "a.jsonl", "\n\n".join(json.dumps(row) for row in rows))
    found = read(tmp_path, "a.jsonl", text_field="body", id_field="key", group_field="site", name="web")
    assert [(s.id, s.text, s.group) for s in found] == [
        ("a.jsonl#k1", "eins", "web#s"),
        ("a.jsonl#k2", "zwei", "web#s"),
    ]


def test_compressed_jsonl_and_a_cut_archive(tmp_path):
    packed = gzip.compress(b'{"text": "eins"}\n' * 1000)
    put(tmp_path, "a.jsonl.gz", packed)
    assert len(texts(tmp_path, "a.jsonl.gz")) == 1000
    put(tmp_path, "a.jsonl.gz", packed[:-20])
    with pytest.raises(DataError, match="not a whole gzip file"):
        read(tmp_path, "a.jsonl.gz")


def test_truncated_jsonl_names_file_and_line(tmp_path):
    put(tmp_path, "a.jsonl", '{"text": "eins"}\n{"text": "zw')
    with pytest.raises(DataError, match=r"a\.jsonl:2 is not JSON.*truncated") as caught:
        read(tmp_path, "a.jsonl")
    assert caught.value.exit_code == 2
    kept, lost = read(tmp_path, "a.jsonl", on_error="drop")
    assert (kept.text, lost.id, lost.reason) == ("eins", "a.jsonl#2", "not-json")
    assert str(tmp_path) not in lost.detail


@pytest.mark.parametrize(
    ("line", "reason"), [('{"other": 1}', "no-text-field"), ('{"text": 5}', "no-text-field"), ("[1]", "not-json")]
)
def test_a_bad_row_is_one_lost_document(tmp_path, line, reason):
    put(tmp_path, "a.jsonl", f'{line}\n{{"text": "gut"}}\n')
    lost, kept = read(tmp_path, "a.jsonl", on_error="drop")
    assert isinstance(lost, Unread) and lost.reason == reason and kept.text == "gut"
    with pytest.raises(DataError, match=r"a\.jsonl:1"):
        read(tmp_path, "a.jsonl")


def test_parquet(tmp_path):
    table = pa.table({"text": [f"document {n}" for n in range(1000)], "other": range(1000)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100)
    assert texts(tmp_path, "a.parquet") == [f"document {n}" for n in range(1000)]
    with pytest.raises(DataError, match=r"no column 'body' \(columns: text, other\)"):
        read(tmp_path, "a.parquet", text_field="body")


def test_corrupt_parquet(tmp_path):
    pq.write_table(pa.table({"text": ["a" * 5000, "b" * 5000]}), tmp_path / "a.parquet", compression="snappy")
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    put(tmp_path, "cut.parquet", bytes(data[:-30]))
    with pytest.raises(DataError, match=r"cut\.parquet is not a whole Parquet file"):
        read(tmp_path, "cut.parquet")
    assert [lost.reason for lost in read(tmp_path, "cut.parquet", on_error="drop")] == ["corrupt"]


def test_html_without_navigation_and_scripts(tmp_path):
    head = "<head><script>x()</script></head>"
    body = "<body><nav>menu</nav><h1>Head</h1><p>A &amp; <b>B</b>.</p><pre>f\n  g</pre></body>"
    put(tmp_path, "a.html", f"<html>{head}{body}</html>")
    (found,) = texts(tmp_path, "a.html")
    assert "# Head" in found and "A & **B**." in found and "f\n  g" in found
    assert "menu" not in found and "x()" not in found


def test_pdf_and_docx(tmp_path):
    put(tmp_path, "a.pdf", pdf("Hello from a page."))
    put(tmp_path, "a.docx", docx("First.", "A &amp; B &lt; C"))
    assert texts(tmp_path, "a.pdf") == ["Hello from a page."]
    assert texts(tmp_path, "a.docx") == ["First.\n\nA & B < C"]


@pytest.mark.parametrize("name", ["a.pdf", "a.docx"])
def test_broken_documents(tmp_path, name):
    put(tmp_path, name, b"PK\x03\x04 not really")
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        read(tmp_path, name)


def test_markdown_keeps_its_marks_and_loses_front_matter(tmp_path):
    put(tmp_path, "a.md", "---\ntitle: T\n---\n# Head\n\n---\n\n*text*\n")
    assert texts(tmp_path, "a.md") == ["# Head\n\n---\n\n*text*\n"]


def test_python_source_in_its_own_encoding(tmp_path):
    put(tmp_path, "a.py", "# coding: latin-1\nname = 'é'\n".encode("latin-1"))
    assert texts(tmp_path, "a.py") == ["# coding: latin-1\nname = 'é'\n"]


def test_python_dict_is_read_not_run(tmp_path):
    put(tmp_path, "a.py", "import os\nos.abort()\nn = {1: 2}\ntopics = {'b': 'longer text', 'a': 'text'}\n")
    found = read(tmp_path, "a.py", format="python-dict", order="shortest-first")
    assert [(s.id, s.text) for s in found] == [("a.py#a", "text"), ("a.py#b", "longer text")]
    put(tmp_path, "b.py", "topics = {'a': open('x')}\n")
    with pytest.raises(DataError, match="no dictionary of texts"):
        read(tmp_path, "b.py", format="python-dict")


def test_topics_of_the_running_python(tmp_path):
    found = read(tmp_path, "python:pydoc_data/topics.py", format="python-dict")
    assert len(found) >= 70 and all(s.id.startswith("python:pydoc_data/topics.py#") for s in found)


def test_hub_dataset_from_a_local_folder(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "own").mkdir()
    put(tmp_path, "own/train.jsonl", '{"text": "eins"}\n{"text": "zwei"}\n')
    assert texts(tmp_path, "hf:./own") == ["eins", "zwei"]
    with pytest.raises(DataError, match="cannot be loaded"):
        read(tmp_path, "hf:./own", split="nothing")


def test_wrong_encoding_names_file_offset_and_way_out(tmp_path):
    put(tmp_path, "a.txt", b"caf\xe9 au lait")
    with pytest.raises(DataError, match=r"a\.txt is not utf-8: byte 0xe9 at offset 3") as caught:
        read(tmp_path, "a.txt")
    assert "cp1252" in (caught.value.hint or "")
    assert texts(tmp_path, "a.txt", encoding="latin-1") == ["café au lait"]
    with pytest.raises(DataError, match="encoding = 'utf-9' is unknown"):
        read(tmp_path, "a.txt", encoding="utf-9")


def test_byte_order_mark_and_utf_16_hint(tmp_path):
    put(tmp_path, "a.txt", "\ufefftext")
    assert texts(tmp_path, "a.txt") == ["text"]
    put(tmp_path, "b.txt", "text".encode("utf-16"))
    with pytest.raises(DataError) as caught:
        read(tmp_path, "b.txt")
    assert "utf-16" in (caught.value.hint or "")


def test_unknown_suffix(tmp_path):
    put(tmp_path, "a.xyz", "text")
    with pytest.raises(DataError, match=r"no reader is known for '\.xyz'"):
        read(tmp_path, "a.xyz")
    assert texts(tmp_path, "a.xyz", format="text") == ["text"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
def test_a_huge_line_is_refused_without_holding_it(tmp_path, name):
    with (tmp_path / name).open("wb") as handle:
        for _ in range(100):
            handle.write(b"x" * 1_000_000)
        handle.write(b'\n{"text": "after"}\n')
    fields = {"split_documents": "line"} if name == "a.txt" else {}
    tracemalloc.start()
    try:
        found = read(tmp_path, name, max_document_bytes=1_000_000, on_error="drop", **fields)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [type(sample).__name__ for sample in found] == ["Unread", "Sample"] and found[0].reason == "too-large"
    assert peak < 8_000_000
    with pytest.raises(DataError, match=r":1 is longer than max_document_bytes = 1,000,000"):
        read(tmp_path, name, max_document_bytes=1_000_000, **fields)


def test_a_large_file_is_refused_until_the_limit_is_raised(tmp_path):
    put(tmp_path, "a.txt", "x" * 2000)
    with pytest.raises(DataError, match="max_document_bytes = 1,000"):
        read(tmp_path, "a.txt", max_document_bytes=1000)
    assert texts(tmp_path, "a.txt", max_document_bytes=2000) == ["x" * 2000]


def test_docstrings_are_read_in_the_order_of_the_source(tmp_path):
    put(
        tmp_path,
        "a.py",
        'def f():\n    """Inner\n    text."""\n\nclass C:\n    "Of a class."\n    x = "no docstring"\n',
    )
    put(tmp_path, "b.py", '"""First."""\nimport os\nos.abort()\n\ndef g():\n    pass\n')
    put(tmp_path, "c.py", "x = 1\n")
    found = read(tmp_path, "*.py", format="python-docstrings")
    assert [(s.id, s.text) for s in found] == [("a.py", "Inner\ntext.\n\n\nOf a class.\n"), ("b.py", "First.\n")]
    put(tmp_path, "d.py", "def (:\n")
    with pytest.raises(DataError, match=r"d\.py is not Python source"):
        read(tmp_path, "d.py", format="python-docstrings")
