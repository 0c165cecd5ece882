"""What a page shows of each modality's samples: read from what the modality itself writes."""

import json

import pyarrow as pa
import pytest

from genwright.core.registry import modality_component
from genwright.project.gallery import MOST_CHARACTERS, MOST_SAMPLES, gallery


def kept(folder, modality, rows):
    """The folder as `evaluate` leaves it."""
    component = modality_component(modality).load()()
    component.write(rows, folder)
    preview = component.preview(rows, folder / "preview")
    (folder / "samples.json").write_text(json.dumps({"samples": [], "preview": preview.name}))
    return folder


def told(folder, *samples):
    (folder / "samples.json").write_text(json.dumps({"samples": samples}))
    return folder


def test_passages_are_shown_as_escaped_texts(tmp_path):
    texts = [f"<b>passage {at}</b>" for at in range(MOST_SAMPLES + 1)]
    shown = gallery("a & b", kept(tmp_path, "passage", pa.table({"text": texts})))
    assert shown.count("<pre>") == MOST_SAMPLES and "<b>" not in shown
    assert "&lt;b&gt;passage 7&lt;/b&gt;" in shown and "passage 8" not in shown
    assert "<figcaption>a &amp; b, first samples</figcaption>" in shown


def test_an_empty_text_says_so_and_a_long_one_ends(tmp_path):
    texts = ["", " \n", "x" * (MOST_CHARACTERS + 5)]
    shown = gallery("side", kept(tmp_path, "passage", pa.table({"text": texts})))
    assert shown.count("<p>empty</p>") == 2
    assert f"{'x' * MOST_CHARACTERS} ..." in shown and "x" * (MOST_CHARACTERS + 1) not in shown


def test_control_characters_are_shown_by_their_signs(tmp_path):
    shown = gallery("side", kept(tmp_path, "passage", pa.table({"text": ["a\x00b\x1bc\rd\te\nf\x7f"]})))
    assert "<pre>a\u2400b\u241bc\u240dd\te\nf\u2421</pre>" in shown


def test_a_text_stands_under_what_was_asked(tmp_path):
    shown = gallery("side", told(tmp_path, {"prompt": "who <i>?", "text": "nobody"}, {"text": "alone"}))
    assert "<li><p>who &lt;i&gt;?</p><pre>nobody</pre></li><li><pre>alone</pre></li>" in shown


def test_a_table_is_shown_as_a_table_beside_its_histograms(tmp_path):
    rows = pa.table({"<name>": [f"a,{at}" for at in range(9)], "amount": [None, *range(8)]})
    shown = gallery("side", kept(tmp_path, "table", rows))
    assert '<th scope="col">&lt;name&gt;</th><th scope="col">amount</th>' in shown
    assert '<tr><th scope="row">1</th><td>a,0</td><td></td></tr>' in shown
    assert shown.count('scope="row"') == MOST_SAMPLES and "a,8" not in shown
    assert "<caption>first 8 rows of samples.csv</caption>" in shown
    assert 'role="region" tabindex="0" aria-label="side, rows"' in shown
    assert '<img alt="side, samples drawn" src="data:image/svg+xml;base64,' in shown


def test_molecules_are_shown_in_words_beside_their_picture(tmp_path):
    pytest.importorskip("rdkit")
    shown = gallery("side", kept(tmp_path, "molecule", pa.table({"smiles": ["CCO", "C(C"]})))
    assert "<td>CCO</td><td></td>" in shown and "<td>C(C</td><td>syntax</td>" in shown
    assert "data:image/svg+xml;base64," in shown


def test_music_is_shown_as_piano_rolls(tmp_path):
    voices = {"soprano": ["72 _"], "alto": ["67 _"], "tenor": ["60 _"], "bass": ["48 _"]}
    shown = gallery('"side"', kept(tmp_path, "music", pa.table(voices)))
    assert '<img alt="&quot;side&quot;, samples drawn" src="data:image/svg+xml;base64,' in shown


def test_what_cannot_be_shown_is_said(tmp_path):
    assert "No samples that a page can show." in gallery("side", told(tmp_path))
