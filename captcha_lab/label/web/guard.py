"""What every request must pass before any handler sees it, and the headers every answer carries."""

from __future__ import annotations

import asyncio
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captcha_lab.label.web.access import COOKIE, Access

# Nothing but this server's own files; no inline code, no frames, no forms.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
BODY_SECONDS = 20.0  # for a whole request
LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")  # [::1]: the browser's end of an SSH tunnel
_EARLIER = re.compile(r"/[0-9a-f]{22}/")  # where a page of an earlier start lived
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+):([0-9]{1,5})", re.ASCII)


class RefusedError(Exception):
    """A request that is not answered; `kind` is for the page, the message for a person."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message

    def response(self) -> Response:
        """The answer that says so."""
        return JSONResponse({"kind": self.kind, "error": self.message}, self.status)


class Guard:
    """ASGI middleware: Host and port, origin, cookie, method, body size; then the headers."""

    def __init__(self, app: ASGIApp, access: Access, port: int, max_body: int) -> None:
        self.app, self.access, self.port, self.max_body = app, access, port, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            raise RuntimeError(f"the review page speaks only HTTP, not {scope['type']}")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._check(scope)
            if scope["method"] == "POST":
                receive = await self._bounded(scope, receive)
        except RefusedError as refusal:
            await refusal.response()(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = self._host(headers)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            raise RefusedError(405, "method", "Only GET and POST are answered here.")
        site = headers.get("sec-fetch-site")
        if scope["method"] == "POST":
            if headers.getlist("origin") != [f"http://{host}"] or site not in (None, "same-origin"):
                raise RefusedError(403, "origin", "This request comes from another site; nothing was done.")
            if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise RefusedError(415, "type", "Only JSON is taken.")
        if _is_open(scope, self.access.room):
            return  # a token or proof is checked by the handler
        if not any(self.access.admits_cookie(value) for value in _cookie(headers)):
            raise RefusedError(
                403, "access", "Open the address that `captcha-lab label --review` printed in its terminal."
            )
        if site not in (None, "same-origin", "none"):
            raise RefusedError(403, "origin", "This request comes from another site; nothing was done.")

    def _host(self, headers: Headers) -> str:
        """The one Host header, if it names this machine and this very port; a rebound name does not."""
        hosts = headers.getlist("host")
        match = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
        if match is None or match[1] not in LOCAL_NAMES or int(match[2]) != self.port:
            raise RefusedError(
                421,
                "host",
                f"Only 127.0.0.1:{self.port}, localhost:{self.port} and [::1]:{self.port} are answered. Through "
                f"an SSH tunnel use the same port on both ends: ssh -L {self.port}:127.0.0.1:{self.port} HOST.",
            )
        return hosts[0].lower()

    async def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Read the whole body, but not more than allowed, and hand it on."""
        declared = Headers(scope=scope).get("content-length", "0")
        too_large = RefusedError(
            413, "size", f"A request may have at most {self.max_body} bytes; nothing was done."
        )
        if (
            not (declared.isascii() and declared.isdecimal() and len(declared) < 20)
            or int(declared) > self.max_body
        ):
            raise too_large
        parts: list[bytes] = []
        size, more = 0, True
        end = asyncio.get_running_loop().time() + BODY_SECONDS
        while more:
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise RefusedError(408, "slow", "The request came too slowly; nothing was done.") from None
            if message["type"] == "http.disconnect":
                raise RefusedError(400, "cut", "The request was cut short; nothing was done.")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
            if size > self.max_body:
                raise too_large
        whole: list[Message] = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        return replay


def _is_open(scope: Scope, room: str) -> bool:
    """Whether a request needs no cookie: the way in, and what a page of an earlier start needs to prove itself."""
    if scope["method"] == "POST":
        return bool(scope["path"] == "/hello")
    path = scope["path"]
    if path == f"/{room}/":
        return "token" in Request(scope).query_params
    return path in ("/trust/trust.js", "/trust/knock.js") or _EARLIER.fullmatch(path) is not None


def _cookie(headers: Headers) -> list[str]:
    """The values of our cookie; other servers of this host may have set anything beside it."""
    pairs = (part.strip().partition("=") for line in headers.getlist("cookie") for part in line.split(";"))
    return [value for name, _, value in pairs if name == COOKIE]
