"""JSON of a schema as a mask over tokens: what may come next, so that the text always fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genwright.core import CapabilityError, load_reference

# Without blanks between tokens, or a model that likes them would never come to an end.
COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Grammars:
    """Grammars over one tokenizer, which is read with the first of them."""

    def __init__(self, codec_folder: Path, /, *, vocab_size: int, stop_ids: frozenset[int]) -> None:
        self._folder, self._vocab_size, self._stop_ids = codec_folder, vocab_size, stop_ids
        self._tokenizer: Any = None

    def __call__(self, json_schema: str, /) -> JsonMatcher:
        """What follows one text of that schema.

        Raises:
            CapabilityError: the schema is broken, or asks what cannot be enforced.
        """
        if self._tokenizer is None:
            load = load_reference("llguidance:LLTokenizer", extra="web")
            path = str(self._folder / "tokenizer.json")
            self._tokenizer = load(path, n_vocab=self._vocab_size, eos_token=sorted(self._stop_ids))
        matcher = load_reference("llguidance:LLMatcher", extra="web")
        found = matcher(self._tokenizer, compiled(json_schema))
        if found.is_error():
            raise _refused(found.get_error())
        return JsonMatcher(found, self._vocab_size)


def compiled(json_schema: str, /) -> str:
    """The grammar of a schema.

    Raises:
        CapabilityError: the schema is broken, or asks what cannot be enforced.
    """
    matcher = load_reference("llguidance:LLMatcher", extra="web")
    try:
        grammar: str = matcher.grammar_from_json_schema(json.loads(json_schema), defaults=COMPACT)
    except ValueError as error:
        raise _refused(error) from None
    if told := matcher.validate_grammar(grammar):
        raise _refused(told)
    return grammar


def lark(json_schema: str, /) -> str:
    """The same rule as a grammar in the form that llama.cpp passes on to the same engine."""
    rule = {**json.loads(json_schema), "x-guidance": COMPACT}
    return f"%llguidance {{}}\nstart: %json {json.dumps(rule)}"


def _refused(why: object) -> CapabilityError:
    first = (str(why).splitlines() or ["no reason given"])[0]
    return CapabilityError(f"the JSON schema cannot be enforced: {first}", hint="llguidance says what it knows")


class JsonMatcher:
    """One text on its way."""

    def __init__(self, matcher: Any, vocab_size: int) -> None:
        self._matcher, self._vocab_size = matcher, vocab_size

    def allowed(self) -> Tensor:
        """Which tokens may come next, (v)."""
        bits = torch.frombuffer(bytearray(self._matcher.compute_bitmask()), dtype=torch.uint8)
        each = (bits[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
        return each.reshape(-1)[: self._vocab_size].bool()

    def accept(self, token: int, /) -> None:
        """Moves on by a token that was allowed."""
        self._matcher.consume_token(token)

    @property
    def done(self) -> bool:
        """Whether the text is whole and nothing may follow."""
        return bool(self._matcher.is_stopped())
