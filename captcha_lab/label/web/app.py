"""The review page as an ASGI application: a page, pictures by number, and acts."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.label.questions.mixed import NotReadyError
from captcha_lab.label.web.access import Access
from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.label.web.desk import Desk
from captcha_lab.label.web.guard import Guard, RefusedError
from captcha_lab.label.web.messages import integer, parse_act, parse_answer, parse_object, word
from captcha_lab.store.catalog.labels import StaleRevisionError

MEDIA = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_ENTRANCE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=./">'
    '<link rel="icon" href="static/icon.svg"><title>captcha-lab</title><p>Opening the review page …'
)
MAX_UPCOMING = 50
MAX_EXCLUDED = 2000


def static_files() -> dict[str, tuple[bytes, str]]:
    """The page's own files by name, with their media type; read once, so that no request reaches the disk."""
    folder = files("captcha_lab.label.web") / "static"
    return {
        file.name: (file.read_bytes(), MEDIA[file.name.rpartition(".")[2]])
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in MEDIA
    }


class Handlers:
    """The handlers; every one has passed the guard."""

    def __init__(self, desk: Desk, access: Access) -> None:
        self.desk, self.access, self.static = desk, access, static_files()

    def page(self, request: Request) -> Response:
        """The page, or the exchange of the token for the cookie."""
        if "token" in request.query_params:
            if not self.access.admits_token(request.query_params["token"]):
                raise RefusedError(
                    403, "access", "This address is of an earlier start: open the one printed last."
                )
            # A page that moves on by itself, not a redirect: after one, a browser that came here from
            # another site would not send the SameSite=Strict cookie it has just been given.
            return HTMLResponse(_ENTRANCE, headers={"Set-Cookie": self.access.set_cookie()})
        return self._file("page.html")

    def hello(self, message: dict[str, Any], host: str) -> tuple[dict[str, Any], str]:
        """The server's proof for a nonce, and a nonce for the page; or, for the page's proof, the room and cookie."""
        nonce, proof = word(message, "nonce"), message.get("proof")
        if proof is None:
            start = self.access.start
            said = self.access.proof("server", host, f"{nonce} {start}")
            return {"proof": said, "nonce": self.access.ask(), "start": start}, ""
        if not isinstance(proof, str) or not self.access.admits_proof(host, nonce, proof):
            raise RefusedError(
                403, "access", "This page is of another dataset: open the address printed last."
            )
        return {"room": self.access.room}, self.access.set_cookie()

    def key(self, message: dict[str, Any]) -> dict[str, Any]:
        """What the page knows this server by from now on."""
        return {"key": self.access.key, "start": self.access.start}

    def trust(self, request: Request) -> Response:
        """The scripts that a page of an earlier start needs to prove itself."""
        return self._file(request.path_params["name"])

    def asset(self, request: Request) -> Response:
        """A script or style sheet."""
        return self._file(request.path_params["name"])

    def _file(self, name: str) -> Response:
        if name not in self.static:
            raise RefusedError(404, "unknown", "There is no such file.")
        data, media_type = self.static[name]
        return Response(data, media_type=media_type, headers={"Cache-Control": "no-cache"})

    def glyph(self, request: Request) -> Response:
        """One glyph as PNG."""
        return _picture(self.desk.glyph_png(request.path_params["image"], request.path_params["position"]))

    def captcha(self, request: Request) -> Response:
        """One whole captcha as PNG."""
        return _picture(self.desk.captcha_png(request.path_params["image"]))

    def state(self, message: dict[str, Any]) -> dict[str, Any]:
        """Where the work stands, and the next questions of a queue less those the page holds or has skipped."""
        queue = message.get("queue")
        exclude = message.get("exclude", [])
        if not (queue is None or isinstance(queue, str)):
            raise RefusedError(400, "malformed", "There is no such queue.")
        if not isinstance(exclude, list) or len(exclude) > MAX_EXCLUDED:
            raise RefusedError(400, "malformed", "The request's 'exclude' is impossible.")
        count = integer(message, "count", MAX_UPCOMING)
        return self.desk.state(queue, count, frozenset(str(name) for name in exclude))

    def act(self, message: dict[str, Any]) -> dict[str, Any]:
        """Save an answer; the reply comes after the commit."""
        return self.desk.act(parse_answer(message))

    def rest(self, message: dict[str, Any]) -> dict[str, Any]:
        """Accept all proposals that wait."""
        return self.desk.accept_rest(**parse_act(message))

    def undo(self, message: dict[str, Any]) -> dict[str, Any]:
        """Take back the newest act that stands."""
        return self.desk.undo(**parse_act(message))

    def alphabet(self, message: dict[str, Any]) -> dict[str, Any]:
        """Take a character into the alphabet."""
        character = message.get("character")
        if not isinstance(character, str) or len(character) > 1:
            raise RefusedError(400, "malformed", "The request's 'character' is none.")
        return self.desk.add_character(character)

    def case(self, message: dict[str, Any]) -> dict[str, Any]:
        """Whether letters are saved in the alphabet's case."""
        folded = message.get("folded")
        if not isinstance(folded, bool):
            raise RefusedError(400, "malformed", "The request's 'folded' is missing or impossible.")
        return self.desk.set_case(folded=folded)

    def aside(self, message: dict[str, Any]) -> dict[str, Any]:
        """Take a picture out of use, or back into it."""
        aside = message.get("aside")
        if not isinstance(aside, bool):
            raise RefusedError(400, "malformed", "The request's 'aside' is missing or impossible.")
        return self.desk.set_aside(integer(message, "image"), aside=aside)

    def retrain(self, message: dict[str, Any]) -> dict[str, Any]:
        """Work the proposals out again, in the background."""
        return {"started": self.desk.retrain()}


def _picture(data: bytes | None) -> Response:
    if data is None:
        raise RefusedError(404, "unknown", "There is no such picture.")
    return Response(data, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


def _post(handler: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        message = parse_object(await request.body())
        reply = await run_in_threadpool(handler, message)
        return Response(json.dumps(reply, allow_nan=False), media_type="application/json")

    return endpoint


def _hello(handlers: Handlers) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        message = parse_object(await request.body())
        reply, cookie = handlers.hello(message, request.headers["host"].lower())
        return JSONResponse(reply, headers={"Set-Cookie": cookie} if cookie else None)

    return endpoint


async def _refused(request: Request, error: Exception) -> Response:
    return error.response() if isinstance(error, RefusedError) else await _failed(request, error)


async def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, StaleRevisionError):
        return JSONResponse({"kind": "stale", "error": str(error)}, 409)
    if isinstance(error, UsageError):
        return JSONResponse({"kind": "refused", "error": str(error)}, 400)
    if isinstance(error, NotReadyError):
        return JSONResponse({"kind": "wait", "error": str(error)}, 503)
    kind = "disk" if "full" in str(error) or "No space" in str(error) else "failed"
    return JSONResponse({"kind": kind, "error": str(error)}, 507 if kind == "disk" else 500)


async def _not_found(request: Request, error: Exception) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(static_files()["knock.html"][0], 404)
    return JSONResponse({"kind": "unknown", "error": "There is no such page."}, 404)


def build_app(desk: Desk, access: Access, port: int, config: ReviewConfig) -> Starlette:
    """The application for one desk, answering on one port only."""
    handlers = Handlers(desk, access)
    routes = [
        Route("/", handlers.page),
        Route("/static/{name}", handlers.asset),
        Route("/glyph/{image:int}-{position:int}.png", handlers.glyph),
        Route("/captcha/{image:int}.png", handlers.captcha),
        *(
            Route(f"/api/{handler.__name__}", _post(handler), methods=["POST"])
            for handler in (
                handlers.state,
                handlers.act,
                handlers.rest,
                handlers.undo,
                handlers.retrain,
                handlers.alphabet,
                handlers.aside,
                handlers.case,
                handlers.key,
            )
        ),
    ]
    return Starlette(
        routes=[
            Mount(f"/{access.room}", routes=routes),
            Route("/hello", _hello(handlers), methods=["POST"]),
            Route("/trust/{name}", handlers.trust),
        ],
        middleware=[Middleware(Guard, access=access, port=port, max_body=config.max_body)],
        exception_handlers={RefusedError: _refused, CaptchaLabError: _failed, 404: _not_found},
    )
