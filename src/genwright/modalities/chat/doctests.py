"""Code from an answer, tried on the examples that its question shows, in a process of its own with limits.

The limits stop accidents: endless loops, full memory, large files, and network where the system lets a user turn it
off. This is no sandbox against code that means harm.
"""

from __future__ import annotations

import doctest
import json
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable

from genwright.core import DataError

FENCED = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)
MOST_FILE_BYTES = 1 << 20
# Flags of unshare(2): a user namespace, and in it a network without interfaces.
NEW_USER_AND_NETWORK = 0x10000000 | 0x40000000
RUNNER = f"""
import ctypes, doctest, json, sys
asked = json.load(sys.stdin)
try:
    ctypes.CDLL(None).unshare({NEW_USER_AND_NETWORK})
except (OSError, AttributeError):
    pass
names = {{"__name__": "answer"}}
exec(compile(asked["code"], "answer", "exec"), names)
test = doctest.DocTestParser().get_doctest(asked["question"], names, "question", None, 0)
failed = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test, out=str).failed
sys.exit(1 if failed else 42)
"""
PASSED = 42  # not 0: code that ends the process by itself has not passed


def code_of(text: str, /) -> str:
    """The first fenced block of an answer; all of it where it has none.

    >>> code_of("Here:\\n```python\\nx = 1\\n```\\n")
    'x = 1\\n'
    """
    found = FENCED.search(text)
    return found.group(1) if found else text


def passes(text: str, /, *, question: str, seconds: int, memory_mb: int) -> bool:
    """Whether the answer's code passes all examples of the question within the limits.

    Raises:
        DataError: the question shows no example that can be read.
    """
    try:
        examples = doctest.DocTestParser().get_examples(question)
    except ValueError as error:
        raise DataError(f"the examples of a question cannot be read: {error}") from None
    if not examples:
        raise DataError("a question shows no example (>>>)", hint="use another verifier, or other data")
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-c", RUNNER],
                input=json.dumps({"code": code_of(text), "question": question}).encode(),
                capture_output=True,
                cwd=folder,
                env={},
                timeout=2 * seconds + 5,
                preexec_fn=_limits(seconds, memory_mb),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == PASSED


def _limits(seconds: int, memory_mb: int) -> Callable[[], None]:
    def apply() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_FILE_BYTES, MOST_FILE_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return apply
