"""Chunks: never longer than the window, whole where they fit, and nothing lost."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genwright.core import SpecError
from genwright.modalities.document.chunk import chunks
from genwright.modalities.document.config import ChunkConfig
from genwright.modalities.document.document import Chunk, Document
from genwright.modalities.document.pieces import sentences
from genwright.modalities.document.structure import blocks, seen


def count(text: str) -> int:
    return len(re.findall(r"\w{1,4}|[^\w\s]", text))


def cut(text: str, *, form="rst", window=64, **config) -> list[Chunk]:
    document = Document("d", "Doc", text, form)
    return chunks(document, config=ChunkConfig(**config), count=count, window_tokens=window)


LINE = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=300),
    st.sampled_from(["", "Head", "====", "# Head", "* item", "    code = 1", "A sentence. Another one.", "w" * 400]),
)


@pytest.mark.parametrize("form", ["markdown", "rst", "text"])
@settings(max_examples=100, deadline=None)
@given(
    lines=st.lists(LINE, max_size=15),
    keep=st.sampled_from(["blocks", "sentences"]),
    headers=st.sampled_from(["on", "off"]),
)
def test_no_chunk_is_cut_off_and_nothing_is_lost(form, lines, keep, headers):
    text = "\n".join(lines)
    document = Document("d", "Doc", text, form)
    found = cut(text, form=form, window=48, keep=keep, headers=headers)
    at = 0
    for chunk in found:
        assert chunk.start >= at
        at = chunk.end
        shown = text[chunk.start : chunk.end]
        assert count(f"{chunk.header}\n{shown}" if chunk.header else shown) + 2 <= 48
    covered = {place for chunk in found for place in range(chunk.start, chunk.end)}
    for block in blocks(document):
        if block.kind != "heading" and seen(document, block):
            missing = [p for p in range(block.start, block.end) if p not in covered and not text[p].isspace()]
            assert not missing


def test_headers_name_title_headings_and_definition():
    text = "Part\n====\n\n.. function:: spam(a)\n\n   It does what spam does.\n"
    (chunk,) = cut(text)
    assert chunk.header == "Doc > Part > spam(a)"
    assert text[chunk.start : chunk.end] == ".. function:: spam(a)\n\n   It does what spam does."
    assert cut(text, headers="off")[0].header == ""


def test_blocks_of_one_section_are_joined_and_sections_are_not():
    text = "A\n=\n\nFirst.\n\nSecond.\n\nB\n=\n\nThird.\n"
    text = text.replace("=", "===")
    assert [text[c.start : c.end] for c in cut(text)] == ["First.\n\nSecond.", "Third."]
    assert len(cut(text, target_tokens=2)) == 3


def test_code_that_fits_stays_whole_though_the_chunk_before_it_has_room():
    code = "\n".join(f"   value_{n} = {n}" for n in range(4))
    text = f"Short.\n\nThis is code. Look::\n\n{code}\n"
    shown = [text[c.start : c.end] for c in cut(text, window=26, headers="off")]
    assert shown == ["Short.", f"This is code. Look::\n\n{code}"]
    filled = [text[c.start : c.end] for c in cut(text, window=26, headers="off", keep="sentences")]
    assert filled[0].startswith("Short.") and filled[0].endswith("value_2 = 2") and len(filled) == 2


def test_code_stays_with_the_line_that_announces_it():
    text = "One two three four five six seven.\n\nThe code::\n\n   a = 1\n   b = 2\n"
    shown = [text[c.start : c.end] for c in cut(text, window=21, headers="off")]
    assert shown == ["One two three four five six seven.", "The code::\n\n   a = 1\n   b = 2"]


def test_long_paragraphs_end_at_sentences_and_long_code_at_lines():
    prose = " ".join(f"This is sentence number {n} of it." for n in range(20))
    for chunk in cut(prose, window=40):
        assert prose[chunk.end - 1] == "." and prose[chunk.start].isupper()
    code = "Code::\n\n" + "\n".join(f"   value_{n} = compute({n})" for n in range(30))
    for chunk in cut(code, window=40)[1:]:
        assert code[chunk.start : chunk.end].endswith(")")


def test_a_heading_with_nothing_below_is_a_chunk():
    assert [c.kind for c in cut("Alone\n=====\n")] == ["heading"]
    assert [c.kind for c in cut("A\n===\n\nB\n---\n\nwords\n")] == ["paragraph"]


def test_chunks_of_no_text():
    assert cut("") == []
    with pytest.raises(SpecError, match="hold no text"):
        cut("words", window=8)


def test_sentences_have_exact_spans():
    text = ' He said "No." Then he left (e.g. home). 1. What? Yes! '
    assert [text[start:end] for start, end in sentences(text, (0, len(text)))] == [
        'He said "No."',
        "Then he left (e.g. home).",
        "1.",
        "What?",
        "Yes!",
    ]
