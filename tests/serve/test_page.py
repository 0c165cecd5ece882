"""The page without a browser: what is escaped, who may send, what a stream is made of."""

import re
from contextlib import closing
from html import escape
from urllib.parse import quote

import httpx
import pytest

from genwright.serve.limits import is_loopback
from genwright.serve.page.routes import event_of, said
from genwright.serve.page.view import joined, pieces

from .conftest import start
from .fake_grounded import DOCUMENTS, FakeGrounded


@pytest.fixture(scope="module")
def address():
    found, _, stop = start(system=FakeGrounded())
    yield found
    stop()


def opened(address, **more):
    """A client that has loaded the page, and the token in it."""
    client = httpx.Client(base_url=address, timeout=20, **more)
    page = client.get("/")
    assert page.status_code == 200
    return client, re.search(r'name="token" value="(\w+)"', page.text)[1]


def asked(address, question, **fields):
    client, token = opened(address)
    with closing(client):
        return client.post("/chat", data={"token": token, "question": question, **fields}, headers={"Origin": address})


def test_the_page_loads_nothing_from_elsewhere_and_says_so_in_its_policy(address):
    page = httpx.get(f"{address}/")
    assert not re.search(r"(?:src|href|action)=[\"']?(?:https?:)?//", page.text)
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page.text)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        assert httpx.get(address + file).status_code == 200, file


def test_a_turn_is_events_of_html_and_the_page_keeps_what_was_said(address):
    answer = asked(address, "How is a list sorted?")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert {line[:6] for line in answer.text.split("\n") if line} == {"data: "}
    order = [answer.text.index(one) for one in ("Reading 1 passage", '"#says-', '"#cited-', '"#said"', '"#announcer"')]
    assert order == sorted(order)
    assert 'name="user" value="How is a list sorted?"' in answer.text
    assert 'name="assistant" value="sorted() builds a new list from any iterable."' in answer.text
    assert "confidence 87%" in answer.text


@pytest.mark.parametrize("word", ["document", "stay"])
def test_what_stands_in_documents_and_questions_is_text(address, word):
    told = asked(address, f"<img src=x onerror=1> <hx-partial> {word}").text
    document = httpx.get(f"{address}/documents/odd%2F..%2F%3Cid%3E%23%3F?at=0-30&at=60-90").text
    for html in (told, document):
        assert not re.search(r"<script(?! src=\"/static)|<img|<b>|javascript:[^<]*\"", html)
        assert "&lt;script&gt;" in html
    assert told.count("<hx-partial") == told.count("</hx-partial>")
    assert document.count("<mark") == 2
    assert document.count('id="quote"') == 1


def test_a_document_is_shown_to_the_character(address):
    for name, one in DOCUMENTS.items():
        page = httpx.get(f"{address}/documents/{quote(name, safe='')}?at=9-14").text
        marked = escape(one.text[9:14], quote=False)
        assert f'<mark id="quote" tabindex="-1">{marked}</mark>' in page
    missing = httpx.get(f"{address}/documents/nothing")
    assert missing.status_code == 404
    assert "there is no document" in missing.text


@pytest.mark.parametrize("at", ["at=x", "at=9-3", "at=-1-5", "at=1-99999999999999999999", "at=999999-9999999"])
def test_spans_that_are_none_mark_nothing(address, at):
    page = httpx.get(f"{address}/documents/library%2Ffiles?{at}")
    assert page.status_code == 200
    assert "<mark" not in page.text


def test_other_sites_cannot_send(address):
    client, token = opened(address)
    form = {"token": token, "question": "list"}
    with closing(client):
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {}):
            assert client.post("/chat", data=form, headers=headers).status_code == 403
        wrong = client.post("/chat", data={**form, "token": "0" * 64}, headers={"Origin": address})
        assert wrong.status_code == 403
        assert "load it again" in wrong.text
    other = httpx.post(f"{address}/chat", data=form, headers={"Origin": address})  # the token without its cookie
    assert other.status_code == 403


def test_a_name_that_only_leads_here_is_refused_without_keys(address):
    port = address.rsplit(":", 1)[1]
    for path in ("/", "/v1/models"):
        assert httpx.get(address + path, headers={"Host": f"evil.example:{port}"}).status_code == 403
        assert httpx.get(address + path, headers={"Host": f"localhost:{port}"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("127.0.0.1", True), ("127.0.0.1:80", True), ("localhost:80", True), ("::1", True), ("[::1]:80", True),
        ("10.0.0.1", False), ("localhost.evil.example", False), ("", False), ("[", False), ("0.0.0.0", False),
    ],
)  # fmt: skip
def test_loopback_names(host, is_here):
    assert is_loopback(host) is is_here


def test_with_keys_the_page_asks_for_one(start_server):
    address, _, stop = start_server(system=FakeGrounded(), keys=("secret-1",))
    try:
        refused = httpx.get(f"{address}/")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic")
        for path in ("/", "/static/chat.js", "/documents/library%2Ffiles"):
            assert httpx.get(address + path, auth=("anyone", "secret-1")).status_code == 200
            assert httpx.get(address + path, auth=("anyone", "secret-2")).status_code == 401
        assert httpx.get(f"{address}/v1/models", auth=("anyone", "secret-1")).status_code == 401
        client, token = opened(address, auth=("", "secret-1"))
        with closing(client):
            told = client.post("/chat", data={"token": token, "question": "file"}, headers={"Origin": address})
        assert "The with statement" in told.text
    finally:
        stop()


@pytest.mark.parametrize("question", ["", " \n"])
def test_no_question_is_refused(address, question):
    answer = asked(address, question)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


def test_a_defect_is_told_in_the_turn(address):
    told = asked(address, "a defect").text
    assert "the system failed: RuntimeError" in told
    assert 'role="alert"' in told
    assert 'name="assistant"' not in told
    assert asked(address, "this is too long").text.count("100,000 characters") == 1


def test_a_full_queue_is_told(start_server):
    system = FakeGrounded()
    address, _, stop = start_server(system=system, num_slots=1, max_queue=0)
    try:
        client, token = opened(address)
        form = {"token": token, "question": "list slowly"}
        with closing(client), client.stream("POST", "/chat", data=form, headers={"Origin": address}) as first:
            next(first.iter_lines())
            refused = client.post("/chat", data=form, headers={"Origin": address})
            system.go_on.set()
        assert refused.status_code == 429
        assert "try again" in refused.text
    finally:
        stop()


def test_the_page_over_a_system_that_generates(server):
    client, token = opened(server.address)
    with closing(client):
        told = client.post("/chat", data={"token": token, "question": "hello"}, headers={"Origin": server.address})
        assert told.status_code == 200
        assert "largest number of tokens" in told.text or 'name="assistant"' in told.text
        long = client.post("/chat", data={"token": token, "question": "x" * 99}, headers={"Origin": server.address})
        assert long.status_code == 400
        assert "the context holds 64" in long.text
        assert client.get("/documents/a").status_code == 404


def test_what_was_said_comes_in_order_and_is_bounded():
    fields = [("user", "a"), ("assistant", "b"), ("token", "x"), ("question", " c\r\nd ")]
    assert said(fields) == (("user", "a"), ("assistant", "b"), ("user", "c\nd"))
    long = [("user", str(number)) for number in range(99)] + [("question", "q")]
    assert said(long)[0] == ("user", "59")


def test_events_keep_lines_and_spans_keep_order():
    assert event_of("a\r\nb\rc\n") == "data: a\ndata: b\ndata: c\ndata: \n\n"
    assert joined([(5, 9), (0, 2), (8, 12), (3, 3), (-4, 1), (9, 99)], within=20) == [(0, 2), (5, 20)]
    assert pieces("abcdef", [(1, 3), (3, 4)]) == [("a", False), ("bcd", True), ("ef", False)]
    assert pieces("abc", []) == [("abc", False)]
