"""The gate before any route: keys, the name that the server was reached by, and bodies of a bounded size."""

import hmac
import ipaddress
from base64 import b64decode
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genwright.serve.problems import response

OPEN_PATHS = ("/health", "/metrics")
PAGE_PATHS = ("/chat", "/documents/", "/static/")
NEEDS_KEY = "a valid API key is needed: Authorization: Bearer KEY"
OTHER_NAME = "without API keys this server answers on loopback names only: ask 127.0.0.1, or set --api-key-file"


class Guard:
    """ASGI middleware: 401 without a key, 413 for a body that is too large (declared or streamed).

    Browsers give the key as the password of the page. Where no key is asked for, 403 for any name but loopback: a
    site whose name leads here could read everything otherwise.
    """

    def __init__(self, app: ASGIApp, *, keys: Sequence[str], max_body_bytes: int) -> None:
        self.app = app
        self.keys = [key.encode() for key in keys]
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        refusal = self._refusal(scope["path"], headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        body = await self._body(headers, receive)
        if body is None:
            message = f"the body is larger than {self.max_body_bytes} bytes"
            await response(413, message, code="body_too_large")(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    def _refusal(self, path: str, headers: Mapping[bytes, bytes]) -> Response | None:
        if not self.keys and not is_loopback(headers.get(b"host", b"").decode("latin-1")):
            return response(403, OTHER_NAME, code="forbidden")
        if not self.keys or path in OPEN_PATHS:
            return None
        is_page = path == "/" or path.startswith(PAGE_PATHS)
        if self._knows(_given(headers.get(b"authorization", b""), basic=is_page)):
            return None
        refused = response(401, NEEDS_KEY, code="invalid_api_key")
        if is_page:
            refused.headers["WWW-Authenticate"] = 'Basic realm="the API key is the password", charset="UTF-8"'
        return refused

    def _knows(self, given: bytes) -> bool:
        return any([hmac.compare_digest(given, key) for key in self.keys])  # noqa: C419 (every key takes the same time)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.max_body_bytes:
            return None
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.max_body_bytes:
                return None
        return body


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _given(header: bytes, *, basic: bool) -> bytes:
    """The key in an Authorization header; empty where there is none."""
    if not basic or not header.startswith(b"Basic "):
        return header.removeprefix(b"Bearer ")
    try:
        return b64decode(header.removeprefix(b"Basic "), validate=True).partition(b":")[2]
    except ValueError:
        return b""


def is_loopback(host: str, /) -> bool:
    """Whether a name or address, with a port or not, means this machine alone."""
    try:
        bare = host.count(":") > 1 and not host.startswith("[")
        name = host if bare else urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
