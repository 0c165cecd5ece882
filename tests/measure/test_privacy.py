"""Epsilon from stored numbers: Opacus's accountants, a published value, and what cannot be."""

from typing import Any

import pytest
from opacus.accountants import PRVAccountant, RDPAccountant

from genwright.core import DataError, Derivation, SpecError
from genwright.measure import derive

COLUMNS = {"noise": "noise", "rate": "rate", "steps": "steps"}


def spent(rows: list[tuple[float, float, int]], *, delta: float | None = 1e-5) -> float | None:
    table: dict[str, list[Any]] = {
        name: [row[at] for row in rows] for at, name in enumerate(("noise", "rate", "steps"))
    }
    return derive(table, derivation=Derivation("epsilon", COLUMNS, parameter=delta)).value


def test_a_published_value() -> None:
    """Abadi et al. 2016 (arXiv:1607.00133, section 3.2): q = 0.01, sigma = 4, 10,000 steps, delta = 1e-5: about 1.26.

    Their moments accountant is this one before its orders and its last step became tighter.
    """
    found = spent([(4.0, 0.01, 10_000)])
    assert found is not None and 0.9 < found <= 1.26


def test_lines_of_a_log_add_up() -> None:
    accountant = RDPAccountant()
    accountant.history = [(1.1, 0.02, 700), (0.9, 0.02, 40)]
    found = spent([(1.1, 0.02, 300), (1.1, 0.02, 400), (0.9, 0.02, 40), (0.9, 0.02, 0)])
    assert found == accountant.get_epsilon(delta=1e-5)
    more = spent([(1.1, 0.02, 700)])
    assert more is not None and found is not None and more < found


def test_it_is_an_upper_bound_of_a_tighter_accountant() -> None:
    tight = PRVAccountant()
    tight.history = [(1.0, 0.02, 500)]
    found = spent([(1.0, 0.02, 500)])
    assert found is not None
    assert tight.get_epsilon(delta=1e-5) < found < 1.3 * tight.get_epsilon(delta=1e-5)


def test_what_cannot_be() -> None:
    assert spent([]) is None
    for wrong in ((0.0, 0.1, 5), (1.0, 0.0, 5), (1.0, 1.5, 5), (1.0, 0.1, -1)):
        with pytest.raises(DataError, match="noise multiplier"):
            spent([wrong])
    for delta in (None, 0.0, 1.0):
        with pytest.raises(SpecError, match="delta"):
            spent([(1.0, 0.1, 5)], delta=delta)


def test_that_more_orders_could_give_less_is_no_warning_to_the_reader(recwarn: pytest.WarningsRecorder) -> None:
    assert spent([(60.0, 0.01, 10)]) is not None
    assert not [one for one in recwarn if "alpha" in str(one.message)]
