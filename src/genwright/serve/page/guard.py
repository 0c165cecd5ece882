"""What keeps other sites off the page: a policy for its contents, the sender's origin, and a token with a cookie."""

import hmac
import secrets
from hashlib import sha256
from urllib.parse import urlsplit

from fastapi import Request, Response

from genwright.serve.problems import ApiError

COOKIE = "genwright_page"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Tokens:
    """Tokens that hold with the cookie they were made for, while this server runs."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def of(self, cookie: str, /) -> str:
        """The token of a cookie."""
        return hmac.new(self._secret, cookie.encode(), sha256).hexdigest()

    def give(self, request: Request, response: Response, /) -> None:
        """The cookie that the page's token holds with."""
        response.set_cookie(COOKIE, self.cookie(request), httponly=True, samesite="strict", path="/")

    def cookie(self, request: Request, /) -> str:
        """The browser's own, or a new one."""
        if not hasattr(request.state, "page_cookie"):
            request.state.page_cookie = request.cookies.get(COOKIE) or secrets.token_urlsafe(24)
        found: str = request.state.page_cookie
        return found

    def check(self, request: Request, token: str, /) -> None:
        """Passes where the page of this server sent the request.

        Raises:
            ApiError: another site did, or the page is older than the server.
        """
        if urlsplit(request.headers.get("origin", "")).netloc != request.headers.get("host"):
            raise ApiError(403, "this was sent by another site", code="forbidden")
        if not hmac.compare_digest(token.encode(), self.of(request.cookies.get(COOKIE, "")).encode()):
            raise ApiError(403, "this page is older than the server: load it again", code="forbidden")
