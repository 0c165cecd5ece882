"""A chat as rows hold it: a list of messages, the last of which is the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

ROLES = ("system", "user", "assistant")
TYPE = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
Messages = Sequence[Mapping[str, Any]]


def fault(messages: Messages | None, /) -> str | None:
    """Why these are no chat with an answer: a short reason, None where they are one."""
    if not messages:
        return "empty"
    if any(message.get("role") not in ROLES for message in messages):
        return "unknown-role"
    if any(not isinstance(message.get("content"), str) for message in messages):
        return "no-text"
    if messages[-1]["role"] != "assistant" or not messages[-1]["content"].strip():
        return "no-answer"
    return None if any(message["role"] == "user" for message in messages) else "no-question"


def question(messages: Messages, /) -> tuple[tuple[str, str], ...]:
    """(role, text) of all that stands before the answer."""
    return tuple((message["role"], message["content"]) for message in messages[:-1])


def answer(messages: Messages, /) -> str:
    """The text of the answer."""
    return str(messages[-1]["content"])


def asked(messages: Messages, /) -> str:
    """What the user said last before the answer."""
    return next((str(one["content"]) for one in reversed(messages[:-1]) if one["role"] == "user"), "")


def chats(rows: pa.Table, /) -> list[list[dict[str, str]]]:
    """The messages of each row."""
    found: list[list[dict[str, str]]] = rows.column("messages").to_pylist()
    return found


def table(ids: Sequence[str], groups: Sequence[str], messages: Sequence[Messages], /) -> pa.Table:
    """Rows with `id`, `group` and `messages`."""
    plain = [[{"role": one.get("role"), "content": one.get("content")} for one in chat] for chat in messages]
    return pa.table({"id": list(ids), "group": list(groups), "messages": pa.array(plain, TYPE)})


def answered(rows: pa.Table, answers: Sequence[str], /) -> pa.Table:
    """The same questions with other answers."""
    made = [
        [*chat[:-1], {"role": "assistant", "content": text}] for chat, text in zip(chats(rows), answers, strict=True)
    ]
    return rows.set_column(rows.column_names.index("messages"), "messages", pa.array(made, TYPE))
