"""One page of the web, fetched from an address that was looked at first."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from genwright.core import DataError

MAX_REDIRECTS = 5
_BLOCK = 1 << 16
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
SUFFIXES = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/x-rst": "rst",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}


@dataclass(frozen=True)
class Page:
    """What a server answered: its bytes, and the suffix that goes with their type."""

    data: bytes
    suffix: str


Resolve = Callable[[str, int], list[str]]
Connect = Callable[[str, str, str, float], http.client.HTTPConnection]
"""(scheme, host, address, seconds): a connection to that address and no other."""


def resolved(host: str, port: int, /) -> list[str]:
    """All addresses of a host.

    Raises:
        DataError: it has none, or names cannot be looked up.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DataError(f"{host} cannot be looked up ({error})", hint="check the name and the network") from None
    return list(dict.fromkeys(str(place[4][0]) for place in found))


def is_public(address: str, /) -> bool:
    """Whether an address is one of the open network; an IPv4 address inside an IPv6 one counts, too.

    >>> [is_public(one) for one in ("1.1.1.1", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1")]
    [True, False, False, False, False]
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner: list[ipaddress.IPv4Address] = []
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [one for one in (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())) if one is not None]
        if ip in _NAT64:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if ip.ipv4_mapped is not None:
            return all(is_public(str(one)) for one in inner)
    unfit = ip.is_multicast or ip.is_reserved or ip.is_unspecified or getattr(ip, "is_site_local", False)
    return ip.is_global and not unfit and all(is_public(str(one)) for one in inner)


def connected(scheme: str, host: str, address: str, seconds: float, /) -> http.client.HTTPConnection:
    """A connection to the address; the certificate is checked against the host's name."""
    port = _PORTS[scheme]
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    plain = socket.create_connection((address, port), timeout=seconds)
    if scheme == "https":
        plain = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    connection.sock = plain
    return connection


def fetched(
    url: str, /, *, limit_bytes: int, seconds: float, resolve: Resolve = resolved, connect: Connect = connected
) -> Page:
    """The page behind an address, every redirection looked at as the first address was.

    Raises:
        DataError: an address is not public, the answer is no page, too large, or takes too long.
    """
    until = time.monotonic() + seconds
    for _ in range(MAX_REDIRECTS + 1):
        parts, address = _checked(url, resolve)
        left = until - time.monotonic()
        if left <= 0:
            raise _slow(url, seconds)
        try:
            found = _asked(parts, address, limit_bytes=limit_bytes, left=left, connect=connect)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() >= until:
                raise _slow(url, seconds) from None
            raise DataError(f"{url} cannot be fetched ({error or type(error).__name__})", hint="try it again") from None
        if time.monotonic() >= until:  # what was cut off there looks like an answer that is over
            raise _slow(url, seconds)
        if isinstance(found, Page):
            return found
        if parts.scheme == "https" and urlsplit(urljoin(url, found)).scheme == "http":
            raise DataError(f"{url} leads from https to http", hint="name the page that it leads to, if you trust it")
        url = urljoin(url, found)
    raise DataError(f"{url}: more than {MAX_REDIRECTS} redirections", hint="name the page that it leads to")


def _checked(url: str, resolve: Resolve) -> tuple[SplitResult, str]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise DataError(f"'{url}' is no page that is fetched", hint="http or https, a host's name, and no user")
    if port not in (None, _PORTS[parts.scheme]):
        raise DataError(f"'{url}' names a port; pages are fetched from 80 and 443 alone", hint="fetch it by hand")
    addresses = resolve(parts.hostname, _PORTS[parts.scheme])
    closed = next((one for one in addresses if not is_public(one)), None)
    if closed is not None or not addresses:
        raise DataError(
            f"{parts.hostname} is at {closed or 'no address'}, which is not of the open network; it is not fetched",
            hint="fetch the page by hand and name the file",
        )
    return parts, addresses[0]


def _asked(parts: SplitResult, address: str, *, limit_bytes: int, left: float, connect: Connect) -> Page | str:
    """The page, or where it leads to. A timer ends what drips slower than each read's own limit."""
    host = parts.hostname or ""
    connection = connect(parts.scheme, host, address, left)
    timer = threading.Timer(left, _cut, (connection.sock,))
    timer.daemon = True
    timer.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept": ", ".join(SUFFIXES), "Accept-Encoding": "identity", "User-Agent": "genwright"}
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        if answer.status in (301, 302, 303, 307, 308):
            return answer.getheader("Location") or ""
        return _page(answer, parts.geturl(), limit_bytes)
    finally:
        timer.cancel()
        connection.close()


def _page(answer: http.client.HTTPResponse, url: str, limit_bytes: int) -> Page:
    if answer.status != 200:
        raise DataError(f"{url} answers {answer.status} {answer.reason}", hint="check the address")
    kind = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    if kind not in SUFFIXES:
        raise DataError(f"{url} is of type '{kind}'; pages are {', '.join(SUFFIXES)}", hint="fetch it by hand")
    if (answer.getheader("Content-Encoding") or "identity") != "identity":
        raise DataError(f"{url} is packed, which was not asked for", hint="fetch it by hand")
    data = bytearray()
    while block := answer.read(_BLOCK):
        data += block
        if len(data) > limit_bytes:
            raise DataError(f"{url} has more than max_page_bytes = {limit_bytes:,}", hint="raise max_page_bytes")
    if answer.length:
        raise DataError(f"{url} broke off {answer.length:,} bytes before its end", hint="try it again")
    return Page(bytes(data), SUFFIXES[kind])


def _cut(held: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        held.shutdown(socket.SHUT_RDWR)


def _slow(url: str, seconds: float) -> DataError:
    return DataError(f"{url} did not come within {seconds:g} seconds", hint="raise fetch_seconds, or fetch it by hand")
