"""Text as it streams: whole characters only, stop strings cut exactly, nothing lost."""

from collections.abc import Sequence

import pytest

from genwright.families.text_stream import TextStream


def decode(ids: Sequence[int]) -> str:
    return bytes(ids).decode("utf-8", errors="replace")


def pieces(text: str | bytes, *stop: str) -> list[str]:
    stream = TextStream(decode, stop=stop)
    data = text.encode() if isinstance(text, str) else text
    out = []
    for byte in data:
        out.append(stream.feed(byte))
        if stream.stopped:
            return out
    return [*out, stream.finish()]


@pytest.mark.parametrize("text", ["plain", "naïve €5 🙂 日本", "broken \ufffd sign"])
def test_everything_arrives_and_no_piece_is_half_a_character(text: str) -> None:
    out = pieces(text)
    assert "".join(out) == text
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in out)


def test_invalid_bytes_arrive_as_replacement_signs() -> None:
    assert "".join(pieces(b"a\xff\xfeb\xf0\x9f")) == decode(b"a\xff\xfeb\xf0\x9f")


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("one\n\ntwo", ("\n\n",), "one"),
        ("aab aac", ("aac",), "aab "),
        ("abcabd", ("abd",), "abc"),
        ("xENDy", ("END", "ENDING"), "x"),
        ("never", ("no such",), "never"),
        ("tail EN", ("END",), "tail EN"),
        ("both b a", ("a", "b"), ""),
    ],
)
def test_stop_strings(text: str, stop: tuple[str, ...], expected: str) -> None:
    out = pieces(text, *stop)
    assert "".join(out) == expected


def test_nothing_of_a_stop_string_is_shown_early() -> None:
    stream = TextStream(decode, stop=["</s>"])
    assert [stream.feed(byte) for byte in b"a</s"] == ["a", "", "", ""]
    assert stream.feed(ord("x")) == "</sx"
