"""The gate before any route: keys, and bodies of a bounded size."""

import hmac
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genwright.serve.problems import response

OPEN_PATHS = ("/health", "/metrics")


class Guard:
    """ASGI middleware: 401 without a key, 413 for a body that is too large (declared or streamed)."""

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
        if self.keys and scope["path"] not in OPEN_PATHS and not self._knows(headers.get(b"authorization", b"")):
            await response(401, "a valid API key is needed: Authorization: Bearer KEY", code="invalid_api_key")(
                scope, receive, send
            )
            return
        body = await self._body(headers, receive)
        if body is None:
            message = f"the body is larger than {self.max_body_bytes} bytes"
            await response(413, message, code="body_too_large")(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    def _knows(self, header: bytes) -> bool:
        given = header.removeprefix(b"Bearer ")
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
