"""Pages of the web: asked for, from the open network alone, bounded, and kept."""

import http.client
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from genwright.core import DataError, IntegrityError, SpecError
from genwright.modalities.document.config import DocumentSourceConfig
from genwright.modalities.document.reading import read_documents
from genwright.modalities.files import pages
from genwright.modalities.files.packages import identity
from genwright.modalities.files.web import Page, fetched, is_public, resolved
from genwright.modalities.text.config import SourceConfig

PUBLIC = "93.184.216.34"


class Handler(BaseHTTPRequestHandler):
    answers: ClassVar[dict] = {}

    def do_GET(self):
        status, headers, body = self.answers[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if callable(body):
            body(self.wfile)
        else:
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def site():
    """A server on this machine that stands for every public address; what it was asked is kept."""
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    asked = []

    def connect(scheme, host, address, seconds):
        asked.append((scheme, host, address))
        connection = http.client.HTTPConnection(host, timeout=seconds)
        connection.sock = socket.create_connection(server.server_address, timeout=seconds)
        return connection

    Handler.answers = {}
    yield Handler.answers, connect, asked
    server.shutdown()
    server.server_close()


def get(url, site, *, resolve=lambda host, port: [PUBLIC], limit_bytes=1000, seconds=60.0):
    return fetched(url, limit_bytes=limit_bytes, seconds=seconds, resolve=resolve, connect=site[1])


HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1", "fec0::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"),
        *("no address", ""),
    ],
)
def test_closed_addresses(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_open_addresses(address):
    assert is_public(address)


def test_a_page_is_fetched_from_the_address_that_was_looked_at(site):
    site[0]["/a?b=1"] = (200, HTML, b"<h1>Hi</h1>")
    assert get("https://x.org/a?b=1#part", site) == Page(b"<h1>Hi</h1>", "html")
    assert site[2] == [("https", "x.org", PUBLIC)]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "2130706433", "0x7f.1"])
def test_hosts_of_this_machine_are_refused_before_anything_is_asked(site, host):
    with pytest.raises(DataError, match=r"open network|looked up"):
        get(f"http://{host}/", site, resolve=resolved)
    assert site[2] == []


def test_one_closed_address_among_open_ones_is_refused(site):
    with pytest.raises(DataError, match=r"10\.0\.0\.1"):
        get("http://x.org/", site, resolve=lambda host, port: [PUBLIC, "10.0.0.1"])
    assert site[2] == []


def test_redirections_are_looked_at_again(site):
    site[0]["/"] = (302, {"Location": "http://inside.org/secret"}, b"")
    places = {"x.org": [PUBLIC], "inside.org": ["169.254.169.254"]}
    with pytest.raises(DataError, match=r"169\.254"):
        get("http://x.org/", site, resolve=lambda host, port: places[host])
    assert [host for _, host, _ in site[2]] == ["x.org"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x.org/", "http://x.org:8080/", "http://u:p@x.org/"])
def test_redirections_to_no_page_are_refused(site, target):
    site[0]["/"] = (301, {"Location": target}, b"")
    with pytest.raises(DataError):
        get("http://x.org/", site)
    assert len(site[2]) == 1


def test_redirections_end(site):
    site[0]["/"] = (302, {"Location": "/"}, b"")
    with pytest.raises(DataError, match="more than 5"):
        get("http://x.org/", site)
    site[0]["/s"] = (302, {"Location": "http://x.org/"}, b"")
    with pytest.raises(DataError, match="from https to http"):
        get("https://x.org/s", site)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((200, HTML, b"x" * 1001), "max_page_bytes"),
        ((200, {"Content-Type": "application/zip"}, b"x"), "of type"),
        ((200, {**HTML, "Content-Encoding": "gzip"}, b"x"), "packed"),
        ((404, HTML, b"x"), "404"),
        ((200, {}, b"x"), "of type"),
        ((200, {**HTML, "Content-Length": "9"}, b"x"), "broke off"),
    ],
)
def test_what_is_no_page_is_refused(site, answer, why):
    site[0]["/"] = answer
    with pytest.raises(DataError, match=why):
        get("http://x.org/", site)


def test_a_page_that_drips_is_ended(site):
    over = threading.Event()

    def drip(out):
        for _ in range(200):
            try:
                out.write(b"x")
                out.flush()
            except OSError:
                return
            if over.wait(0.02):
                return

    site[0]["/"] = (200, HTML, drip)
    with pytest.raises(DataError, match="within"):
        get("http://x.org/", site, seconds=0.3)
    over.set()


def source(path="https://x.org/guide", **fields):
    return DocumentSourceConfig.parse({"path": path, **fields}, where="source")


def test_pages_are_off_by_default():
    with pytest.raises(SpecError, match='fetch = "on"'):
        source()
    with pytest.raises(SpecError, match="documents only"):
        SourceConfig.parse({"path": "https://x.org/"}, where="source")
    with pytest.raises(SpecError, match='fetch = "on"'):
        source("HTTPS://x.org/guide")


def test_a_page_is_fetched_once_and_pinned(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def fetch(url, **limits):
        calls.append((url, limits))
        return Page(b"<h1>Guide</h1><p>words</p>", "html")

    monkeypatch.setattr(pages, "fetched", fetch)
    wanted = source(fetch="on", max_page_bytes=77)
    assert identity(wanted, root=tmp_path) == ["https://x.org/guide", None]
    assert calls == []
    for _ in range(2):
        (page,) = read_documents(wanted, root=tmp_path)
    assert (page.id, page.title, page.url) == ("https://x.org/guide", "Guide", "https://x.org/guide")
    assert calls == [("https://x.org/guide", {"limit_bytes": 77, "seconds": 30.0})]
    with pytest.raises(IntegrityError, match="pinned"):
        list(read_documents(source(fetch="on", sha256="0" * 64), root=tmp_path))
