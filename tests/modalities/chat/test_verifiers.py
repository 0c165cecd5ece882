"""Verifiers: what is right, and code that is tried within limits."""

import time

import pytest
from pydantic import TypeAdapter

from genwright.core import DataError
from genwright.modalities.chat.config import ChatSourceConfig
from genwright.modalities.chat.doctests import passes
from genwright.modalities.chat.messages import answer, asked, chats
from genwright.modalities.chat.modality import ChatModality
from genwright.modalities.chat.verifier_config import DoctestConfig, VerifierConfig
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


MODULE = b"""
from itertools import islice
from . import helpers

def take(n, items):
    \"\"\"The first n items.

    >>> take(2, [1, 2, 3])
    [1, 2]
    \"\"\"
    return list(islice(items, n))

def helped(x):
    \"\"\"What a helper says.

    >>> helped(1)
    1
    \"\"\"
    return helpers.same(x)

def silent(x):
    \"\"\"It shows nothing.\"\"\"
    return x
"""


def test_functions_with_examples_are_tasks(tmp_path):
    (tmp_path / "m.py").write_bytes(MODULE)
    source = ChatSourceConfig.parse({"path": "m.py", "format": "python-tasks"}, where="source")
    (table,) = ChatModality().read(source, root=tmp_path)
    found = chats(table)
    assert [asked(chat).partition("\n")[0] for chat in found] == [
        "Write the Python function `take(n, items)`.", "Write the Python function `helped(x)`.",
    ]  # fmt: skip
    rule = DoctestConfig(memory_mb=512)
    right = [verify(rule, messages=chat, answers=[answer(chat)]) for chat in found]
    assert right == [[1.0], [0.0]], "a helper of the module is not there"


def test_a_question_without_examples_is_named():
    with pytest.raises(DataError, match="shows no example"):
        passes(RIGHT, question="Write it.", seconds=1, memory_mb=128)
