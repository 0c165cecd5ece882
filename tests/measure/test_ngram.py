"""The n-gram reference: a probability, and a good one."""

import numpy as np
import pytest

from genwright.core import SpecError
from genwright.measure.ngram import Ngram

TEXTS = ["the cat sat on the mat. " * 5, "a dog sat on the log. " * 4, "Ünïcode too"]


@pytest.mark.parametrize("order", [1, 2, 3, 5, 8])
def test_it_sums_to_one_in_any_context(order):
    model = Ngram.fit(TEXTS, order=order)
    rng = np.random.default_rng(0)
    known = np.frombuffer(TEXTS[0].encode(), dtype=np.uint8)
    for context in [*rng.integers(0, 256, (5, order)), *(known[at : at + order] for at in range(5))]:
        head = sum(int(byte) << (8 * (order - 1 - place)) for place, byte in enumerate(context[1:]))
        grams = np.array([head << 8 | byte if order > 1 else byte for byte in range(256)], dtype=object)
        packed = (grams & ((1 << (8 * order)) - 1)).astype(np.uint64)
        assert model.probabilities(packed).sum() == pytest.approx(1.0, abs=1e-9)


def test_text_like_the_training_text_costs_less():
    model = Ngram.fit(TEXTS, order=5)
    assert model.bits("the cat sat on the log. ") < 30 < model.bits("zqxj vwk pfff 123456789!") / 4


def test_an_empty_document_costs_its_end_mark_only():
    assert 0 < Ngram.fit(["", "abc"], order=3).bits("") < 8


@pytest.mark.parametrize("order", [0, 9])
def test_orders_outside_are_refused(order):
    with pytest.raises(SpecError, match=r"outside 1\.\.8"):
        Ngram.fit(TEXTS, order=order)
