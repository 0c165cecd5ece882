"""Asking and chatting in the terminal: answer, sources, abstention, JSON, and a clean end."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

from genwright.cli import talk
from genwright.cli.main import make_parser
from genwright.cli.output import Output
from genwright.core.errors import CapabilityError, DataError, SpecError

from ..serve.fake_grounded import DOCUMENTS, FakeGrounded


class Echo:
    """Says what was said last, and how much before."""

    capabilities = frozenset({"generate", "stream"})

    def request(self, prompt, /, **more):
        return SimpleNamespace(prompt=prompt, more=more)

    def stream(self, request):
        yield f"{len(request.prompt)}:"
        if request.prompt[-1][1] == "interrupt":
            raise KeyboardInterrupt
        yield request.prompt[-1][1]


@pytest.fixture
def run(monkeypatch, capsys):
    """(stdout, stderr) of a command over a system, with these lines on stdin."""

    def called(system, *words, stdin="", is_terminal=False):
        project = SimpleNamespace(resolve_system=lambda prefix: ("d" * 64, True), system=lambda digest: system)
        monkeypatch.setattr(talk.Project, "find", classmethod(lambda cls, path: project))
        stream = io.StringIO(stdin)
        stream.isatty = lambda: is_terminal
        monkeypatch.setattr(sys, "stdin", stream)
        arguments = make_parser().parse_args(list(words))
        arguments.project = "."
        out = Output(as_json=getattr(arguments, "as_json", False))
        assert getattr(talk, words[0])(arguments, out) == 0
        return capsys.readouterr()

    return called


@pytest.mark.parametrize("more", [[], ["--no-stream"]])
def test_an_answer_is_printed_with_its_sources(run, more):
    found = run(FakeGrounded(), "ask", "How is an iterable sorted?", *more)
    lines = found.out.splitlines()
    assert lines[0] == "sorted() builds a new list from any iterable. [1]"
    assert lines[2].startswith("[1] Lists & sorting > Part (library/lists, characters 5-")
    assert lines[3] == '    "sorted() builds a new list from any iterable."'
    assert lines[4].strip() == DOCUMENTS["library/lists"].url
    assert "extractive; confidence 87%" in found.err


def test_an_abstention_is_an_answer_and_says_so(run):
    found = run(FakeGrounded(), "ask", "What is the weather?")
    assert found.out.strip() == "I did not find an answer to this in the documents."
    assert "abstained" in found.err


def test_json_holds_all_of_it(run):
    found = run(FakeGrounded(), "ask", "-", "--json", "--filter", "source=library", stdin="iterable\n")
    body = json.loads(found.out)
    assert (body["question"], body["mode"], body["system"]) == ("iterable", "extractive", "d" * 64)
    (cited,) = body["sentences"][0]["citations"]
    assert DOCUMENTS[cited["document"]].text[cited["start"] : cited["end"]] == cited["quote"]
    assert found.err == ""


def test_a_chat_keeps_what_was_said_and_shows_sources(run):
    system = FakeGrounded()
    found = run(
        system, "chat", stdin="/sources\nWhich statement closes a file?\n/sources\nnote iterable\n/what\n/quit\nx\n"
    )
    assert [one[0] for one in system.asked] == ["Which statement closes a file?", "note iterable"]
    assert system.asked[1][1] == (
        ("user", "Which statement closes a file?"),
        ("assistant", "The with statement closes it again."),
    )
    assert "there are none yet" in found.err
    assert "    A file is opened with open(). The with statement closes it again." in found.out
    assert "BM25 did not answer." in found.err


def test_new_forgets(run):
    system = FakeGrounded()
    run(system, "chat", stdin="a file\n/new\niterable\n")
    assert system.asked[1][1] == ()


def test_a_chat_with_a_model_streams_and_can_be_stopped(run):
    found = run(Echo(), "chat", "--temperature", "0", stdin="hello\ninterrupt\nagain\n")
    assert found.out.split("\n") == ["1:hello", "3:", "3:again", ""]
    assert "(stopped)" in found.err


def test_a_chat_in_json_is_a_line_per_answer(run):
    found = run(Echo(), "chat", "--json", stdin="hello\nagain\n")
    assert [json.loads(line)["text"] for line in found.out.splitlines()] == ["1:hello", "3:again"]
    found = run(FakeGrounded(), "chat", "--json", stdin="iterable\n")
    assert json.loads(found.out)["sentences"]


@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_a_terminal_ends_cleanly(run, monkeypatch, end):
    lines = iter(["this is too long", "iterable"])

    def read(prompt):
        try:
            return next(lines)
        except StopIteration:
            raise end from None

    monkeypatch.setattr("builtins.input", read)
    found = run(FakeGrounded(), "chat", is_terminal=True)
    assert "error: the question has 100,000 characters" in found.err
    assert "sorted() builds" in found.out


def test_what_is_wrong_is_said(run):
    with pytest.raises(DataError):
        run(FakeGrounded(), "chat", stdin="this is too long\n")
    with pytest.raises(CapabilityError, match="no documents"):
        run(Echo(), "ask", "x")
    for wrong in ("colour=red", "source", "source="):
        with pytest.raises(SpecError, match="FIELD=VALUE"):
            run(FakeGrounded(), "ask", "x", "--filter", wrong)
    with pytest.raises(SpecError, match="from documents"):
        run(Echo(), "chat", "--filter", "source=x")
    with pytest.raises(CapabilityError, match="answers nothing"):
        run(SimpleNamespace(capabilities=frozenset({"sample"})), "chat")


def test_a_document_does_not_steer_the_terminal():
    assert talk.safe("a\x1b[2Jb\u202ec\x9bd\te\nf\r\ng") == "a\ufffd[2Jb\ufffdc\ufffdd\te\nf\ng"
