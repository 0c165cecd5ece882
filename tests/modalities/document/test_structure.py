"""Blocks: exact spans that cover a document, and what they are taken for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genwright.modalities.document.document import Block, Document, Format
from genwright.modalities.document.structure import blocks, seen, title_of

LINES = st.sampled_from(
    [
        "",
        "Title",
        "=====",
        "# Head",
        "-----",
        "words that say something.",
        "   deeper words",
        "      deeper still::",
        ".. function:: f(x)",
        ".. note::",
        "* item",
        "  more of it",
        "1. first",
        "```",
        "    code()",
        ">>> f(1)",
        "| a | b |",
        "|---|---|",
        "+---+---+",
        "==  ==",
        "term",
        "\ttabbed",
        "[one]: two",
        "Note:",
        "a\rb",
        "\x0c",
        "\u2028",
        "> said",
        "<div>",
    ]
)


def _document(text: str, form: Format = "rst") -> Document:
    return Document("d", "d", text, form)


def _read(text: str, form: Format = "rst") -> list[tuple[str, str]]:
    return [(block.kind, text[block.start : block.end].strip()) for block in blocks(_document(text, form))]


@pytest.mark.parametrize("form", ["markdown", "rst", "text"])
@settings(max_examples=150, deadline=None)
@given(lines=st.lists(LINES, max_size=24), end=st.sampled_from(["\n", "\r\n"]))
def test_blocks_cover_all_that_is_not_blank_in_order(form, lines, end):
    text = end.join(lines)
    at = 0
    for block in blocks(_document(text, form)):
        assert at <= block.start < block.end <= len(text)
        assert not text[at : block.start].strip()
        assert text[block.start : block.end].strip()
        at = block.end
    assert not text[at:].strip()


@pytest.mark.parametrize("form", ["markdown", "rst", "text"])
@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_has_blocks(form, text):
    found = blocks(_document(text, form))
    assert "".join("".join(text[b.start : b.end].split()) for b in found) == "".join(text.split())


def test_a_text_nested_without_end_is_read():
    text = "\n".join("  " * depth + f"term {depth}" for depth in range(3000))
    assert blocks(_document(text))[-1].end == len(text)


RST = """\
.. _target:

Title
=====

Words. See :mod:`os`::

   code here

   more code

Part
----

.. function:: spam(a, b)
              spam(a)

   Does it.

   ==  ==
   a   b
   ==  ==

.. code-block:: python

   x = 1

* one

  more
* two

term
   Its meaning.
"""


def test_restructured_text():
    assert [kind for kind, _ in _read(RST)] == [
        "paragraph",
        "heading",
        "paragraph",
        "code",
        "heading",
        "definition",
        "paragraph",
        "table",
        "code",
        "list",
        "definition",
        "paragraph",
    ]
    found = blocks(_document(RST))
    assert found[6].head == "spam(a, b)"
    assert found[6].path == ("Title", "Part")
    assert found[6].section == RST.index("Part")
    assert RST[found[9].start : found[9].end] == "* one\n\n  more\n* two"
    assert found[-1].head == "term"
    assert not seen(_document(RST), found[0])


TOPIC = """\
Mapping Types — "dict"
**********************

A mapping maps hashable values.

class dict(**kwargs)
class dict(mapping)

   Return a new dictionary.

   len(d)

      Return the number of items in *d*.

   Changed in version 3.7: Order is kept.

The following is code:

   with A() as a:
       SUITE

Note:

  This is a note that says something.
"""


def test_topics():
    found = blocks(_document(TOPIC, "text"))
    assert [(block.kind, block.head) for block in found[2:9]] == [
        ("definition", "class dict(**kwargs)"),
        ("paragraph", "class dict(**kwargs)"),
        ("definition", "class dict(**kwargs) > len(d)"),
        ("paragraph", "class dict(**kwargs) > len(d)"),
        ("paragraph", "class dict(**kwargs)"),
        ("paragraph", ""),
        ("code", ""),
    ]
    assert [block.kind for block in found[-2:]] == ["paragraph", "paragraph"]
    assert title_of(_document(TOPIC, "text"), fallback="x") == 'Mapping Types — "dict"'


MARKDOWN = """\
# One *thing*

Words.

Two
---

| a | b |
|---|---|
| 1 | 2 |

- item

  ```
  code in it
  ```

```python
# no heading
```

[link]: https://example.org
"""


def test_markdown():
    assert [kind for kind, _ in _read(MARKDOWN, "markdown")] == [
        "heading",
        "paragraph",
        "heading",
        "table",
        "list",
        "code",
        "paragraph",
    ]
    found = blocks(_document(MARKDOWN, "markdown"))
    assert found[3].path == ("One thing", "Two")
    assert not seen(_document(MARKDOWN, "markdown"), found[-1])


def test_headings_close_those_of_their_level_and_below():
    text = "# A\n\n## B\n\n### C\n\n## D\n\nend"
    assert blocks(_document(text, "markdown"))[-1] == Block("paragraph", 24, 27, ("A", "D"), 18)


def test_a_document_without_headings_has_its_fallback_title():
    assert title_of(_document("words"), fallback="name") == "name"
