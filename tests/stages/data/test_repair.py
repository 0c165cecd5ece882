"""Unicode repair does what ftfy does to the whole text, and leaves clean text alone."""

import ftfy
import pytest

from genwright.stages.data.repair import _settings, encodable, repair

BROKEN = [
    "schÃ¶n und gut",
    "line one\r\nline two\rline three\u2028four",
    "bell \x07 and \x1b[31mred\x1b[0m and \x00",
    "e\u0301 stays one letter",
    "the Mona Lisa doesnâ€™t have eyebrows\nplain line\nschÃ¶n",
]


@pytest.mark.parametrize("text", BROKEN)
def test_equals_ftfy_on_the_whole_text(text):
    assert repair(text) == ftfy.fix_text(text, _settings())
    assert repair(repair(text)) == repair(text)


@pytest.mark.parametrize(
    "text", ["x &amp; y <b> “quoted” ﬁne \uff57ide\t\f\n", "plain ASCII,\n\ttabs", "漢字 und Öl 🤗"]
)
def test_what_may_be_meant_stays(text):
    assert repair(text) == text


def test_lone_surrogates_become_something_that_utf8_can_hold():
    assert encodable("a \ud800 b \ud83e\udd17").encode() == "a \ufffd b 🤗".encode()


def test_one_form_for_one_letter():
    assert repair("e\u0301") == "\u00e9"
