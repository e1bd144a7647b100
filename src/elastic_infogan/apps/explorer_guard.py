"""Who may use the explorer: pages of other sites may not, nor anybody without the token."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MOST_BYTES", "Guard"]

MOST_BYTES = 20 * 2**20
"""of a request's body: a picture that is dropped in, as large as cameras and telephones make them"""

_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Refuses requests before any of them reaches the application; every answer forbids what is not needed.

    The token opens: `?token=…` once, a cookie from then on, or `Authorization: Bearer …`. That keeps out
    others who use this machine, other machines, and a page whose own name was made to point here (DNS
    rebinding). Requests that a page of another site makes are refused, but for opening the page by a link.

    A body has to say its length, and may have `MOST_BYTES`.

    Arguments:
        app: what is guarded.
        token: what the address that was printed carries.
        cookie: the name of the cookie; one for each port, since browsers do not tell ports apart.
    """

    def __init__(self, app: ASGIApp, token: str, cookie: str = "elastic-infogan") -> None:
        self.app, self.token, self.cookie = app, token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            return  # start, stop and websockets: the application has no use for them
        fresh = _matches(_in_query(scope), self.token)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                if fresh:
                    headers.append("Set-Cookie", self._cookie())
            await send(message)

        refusal = self._refusal(scope, Headers(scope=scope), fresh)
        await (self.app if refusal is None else refusal)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers, fresh: bool) -> PlainTextResponse | None:
        if _from_elsewhere(scope, headers):
            return PlainTextResponse("Refused: a request from another site.\n", 403)
        if not fresh and not self._has_token(headers):
            line = "Refused: open the address with ?token=… that `elastic-infogan explore` printed.\n"
            return PlainTextResponse(line, 401)
        return _about_body(headers)

    def _has_token(self, headers: Headers) -> bool:
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        # The standard library's SimpleCookie drops all that follows a cookie of another program it dislikes.
        cookie = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        return _matches(bearer, self.token) or _matches(cookie, self.token)

    def _cookie(self) -> str:
        return f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"


def _from_elsewhere(scope: Scope, headers: Headers) -> bool:
    """Whether a page of another site makes this request; opening the page by a link is its visitor's act."""
    opens = scope["method"] == "GET" and scope["path"] == "/" and headers.get("sec-fetch-dest") == "document"
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not opens:
        return True
    origin = headers.get("origin")  # older browsers send this alone
    try:
        return origin is not None and urlsplit(origin).netloc != headers.get("host", "")
    except ValueError:  # no address at all
        return True


def _about_body(headers: Headers) -> PlainTextResponse | None:
    """What to answer to a body that is too large or may turn out to be, before it is read."""
    if "transfer-encoding" in headers:
        return PlainTextResponse("Refused: a body has to say how long it is.\n", 411)
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MOST_BYTES:
        return PlainTextResponse(f"Refused: more than {MOST_BYTES // 2**20} MB.\n", 413)
    return None


def _in_query(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("token", [""])[0]


def _matches(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())
