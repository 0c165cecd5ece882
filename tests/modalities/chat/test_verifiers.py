"""Verifiers: what is right, and code that is tried within limits."""

import time

import pytest
from pydantic import TypeAdapter

from genwright.core import DataError
from genwright.modalities.chat.doctests import passes
from genwright.modalities.chat.verifier_config import VerifierConfig
from genwright.modalities.chat.verifiers import verify

QUESTION = """Write the function.

>>> double(2)
4
>>> list(map(double, [1, 3]))
[2, 6]
"""
RIGHT = "Here it is:\n```python\ndef double(x):\n    return 2 * x\n```\nDone."
LIMITS = {"question": QUESTION, "seconds": 1, "memory_mb": 512}


def verified(settings, *answers, reference="a b"):
    chat = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": reference}]
    return verify(TypeAdapter(VerifierConfig).validate_python(settings), messages=chat, answers=answers)


def test_each_rule_by_its_name():
    assert verified("exact", "a  b", "a b c") == [1.0, 0.0]
    assert verified({"kind": "regex", "pattern": "a.*z"}, "a\nz", "za") == [1.0, 0.0]
    assert verified({"kind": "json", "keys": ["a"]}, '{"a": 1}', '{"b": 1}', "[1]", "{") == [1.0, 0.0, 0.0, 0.0]
    assert verified("doctest", RIGHT, "def double(x): return x") == [1.0, 0.0]
    with pytest.raises(ValueError, match="no regular expression"):
        verified({"kind": "regex", "pattern": "("}, "a")


@pytest.mark.parametrize(
    "code",
    [
        "def double(x): return x",
        "this is no code",
        "raise SystemExit(0)",
        "import os; os._exit(0)",
        "x = bytearray(1 << 30)\ndef double(y): return 2 * y",
        "open('f', 'wb').write(bytes(1 << 22))\ndef double(y): return 2 * y",
    ],
)
def test_what_fails(code):
    assert not passes(code, **LIMITS)


def test_an_endless_loop_ends():
    began = time.process_time()
    assert not passes("while True: pass", **LIMITS)
    assert time.process_time() - began < 5


def test_there_is_no_network_where_it_can_be_turned_off():
    code = """
import socket
try:
    socket.socket().connect(("127.0.0.1", 9))
except OSError as error:
    found = error.errno
"""
    question = ">>> import errno; found == errno.ENETUNREACH\nTrue\n"
    if not passes(code, question=question, seconds=5, memory_mb=512):
        pytest.skip("this system does not let a user turn it off")


def test_a_question_without_examples_is_named():
    with pytest.raises(DataError, match="shows no example"):
        passes(RIGHT, question="Write it.", seconds=1, memory_mb=128)
