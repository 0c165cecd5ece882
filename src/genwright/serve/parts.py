"""Parts of messages that are no text: refused by name, before a schema says that they are no strings."""

from typing import Any

from genwright.serve.problems import ApiError

ITEMS = ("message", "function_call", "function_call_output")
TEXTS = ("text", "input_text", "output_text")


def refuse_other_parts(request: Any, /) -> None:
    """Passes where all parts of a chat's messages are text.

    Raises:
        ApiError: one is a picture, a sound, a file.
    """
    for at, message in enumerate(_list(request, "messages")):
        _refuse(_list(message, "content"), allowed=TEXTS[:1], where=f"messages.{at}.content")


def refuse_other_items(request: Any, /) -> None:
    """Passes where all items of a response's input are messages and calls, of text.

    Raises:
        ApiError: one is something else.
    """
    items = _list(request, "input")
    _refuse(items, allowed=ITEMS, where="input")
    for at, item in enumerate(items):
        for field in ("content", "output"):
            _refuse(_list(item, field), allowed=TEXTS, where=f"input.{at}.{field}")


def _list(value: Any, field: str) -> list[Any]:
    found = value.get(field) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _refuse(parts: list[Any], *, allowed: tuple[str, ...], where: str) -> None:
    for at, part in enumerate(parts):
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind not in allowed:
            message = f"{where}.{at} is '{kind[:40]}'; this system takes {', '.join(allowed)} and nothing else"
            raise ApiError(400, message, code="unsupported", param=f"{where}.{at}")
