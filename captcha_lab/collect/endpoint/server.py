"""The built-in captcha endpoint: something real to scrape without troubling anybody."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from captcha_lab.collect.endpoint.config import ANSWER_HEADER, STYLE_HEADER, EndpointConfig
from captcha_lab.collect.endpoint.faults import Fault, faulty_response, parse_faults, response, steps
from captcha_lab.collect.endpoint.painter import Painter
from captcha_lab.errors import CaptchaLabError

HOST = "127.0.0.1"
ROBOTS = "User-agent: *\nAllow: /captcha\nDisallow: /private\n"


class _RawResponse:
    """Takes over the connection below HTTP, to break its rules as a broken server does."""

    def __init__(self, fault: Fault, picture: bytes, media_type: str) -> None:
        self.fault, self.picture, self.media_type = fault, picture, media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        whole = await asyncio.to_thread(
            faulty_response, self.fault, self.picture, self.media_type, scope["path"], time.time()
        )
        try:
            if whole is not None:
                transport.write(whole)
            else:
                await self._misbehave(transport)
        finally:
            transport.close()
        # uvicorn wants a response from every request; after the connection is lost it wants none.
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _misbehave(self, transport: asyncio.Transport) -> None:
        typed = {"Content-Type": self.media_type}
        if self.fault.name == "stall":
            await _until_closed(transport, self.fault.number(60))
        elif self.fault.name == "drip":
            for byte in response(200, typed, self.picture):
                if await _until_closed(transport, self.fault.number(1)):
                    return
                transport.write(bytes([byte]))
        elif self.fault.name == "reset":
            transport.write(response(200, typed, self.picture[: len(self.picture) // 2], len(self.picture)))
            await asyncio.sleep(0.05)  # let the first half out: a reset discards what waits
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        else:  # endless
            transport.write(response(200, typed, length=-1))
            while not await _until_closed(transport, 0.001):
                if transport.get_write_buffer_size() < 1 << 16:
                    transport.write(bytes(1 << 14))


async def _until_closed(transport: asyncio.Transport, seconds: float) -> bool:
    """Wait, but no longer than the client stays; whether it has gone."""
    end = time.monotonic() + seconds
    while not transport.is_closing() and (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 0.05))
    return transport.is_closing()


class _OpenProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with each connection's transport in `scope["state"]` for `_RawResponse`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def build_app(config: EndpointConfig) -> Starlette:
    """The endpoint as an ASGI application: `/captcha`, `/robots.txt`, and `/moved/captcha` for redirects.

    Raises:
        UsageError: a fault that doesn't exist, or an alphabet the style can't draw.
    """
    painter = Painter(config)
    plan = parse_faults(config.faults)
    captcha_faults, robots_faults = steps(plan.captcha), steps(plan.robots)
    served = 0
    described = json.dumps(config.description())

    async def captcha(request: Request) -> Any:
        nonlocal served
        fault = next(captcha_faults) if request.url.path == "/captcha" else Fault("ok")
        number = 0 if fault.name == "same" else served
        served += fault.name not in ("same", "hop", "later", "utf8")
        text, picture = await asyncio.to_thread(painter, number)
        if fault.name not in ("ok", "same"):
            return _RawResponse(fault, picture, painter.media_type)
        headers = {"Cache-Control": "no-store", STYLE_HEADER: described}
        if config.with_answers:
            headers[ANSWER_HEADER] = text
        return Response(picture, media_type=painter.media_type, headers=headers)

    async def robots(request: Request) -> Any:
        fault = next(robots_faults)
        if fault.name != "ok":
            return _RawResponse(fault, ROBOTS.encode(), "text/plain")
        return PlainTextResponse(ROBOTS)

    return Starlette(
        routes=[Route(path, captcha) for path in ("/captcha", "/moved/captcha", "/verschoben/é")]
        + [Route("/robots.txt", robots)]
    )


def _listen(port: int) -> socket.socket:
    # Named as TCP, asyncio sends small writes at once; unnamed, each reply waits 40 ms for an acknowledgement.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
        sock.listen(128)  # who is told the URL may connect at once, and waits until the loop runs
    except OSError as error:
        sock.close()
        raise CaptchaLabError(
            f"Port {port} of {HOST} can't be used ({error.strerror}): choose another with --port, or 0 for any."
        ) from error
    return sock


def _server(config: EndpointConfig) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            build_app(config),
            http=_OpenProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )


def _url(sock: socket.socket) -> str:
    return f"http://{HOST}:{sock.getsockname()[1]}/captcha"


def serve(config: EndpointConfig, on_start: Callable[[str], None] | None = None) -> None:
    """Serve until interrupted; `on_start(url)` is called once connections are taken.

    Raises:
        CaptchaLabError: the port is taken.
        UsageError: see `build_app`.
    """
    server = _server(config)
    with _listen(config.port) as sock:
        if on_start is not None:
            on_start(_url(sock))
        server.run(sockets=[sock])


@contextmanager
def running_endpoint(config: EndpointConfig | None = None, **options: Any) -> Iterator[str]:
    """An endpoint in a thread of this process for the length of the block; yields the URL of `/captcha`.

    `options` are fields of EndpointConfig; the port is any free one unless given.

    Raises:
        CaptchaLabError, UsageError: see `serve`.
    """
    config = config or EndpointConfig(**{"port": 0, **options})
    server = _server(config)
    with _listen(config.port) as sock:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        try:
            yield _url(sock)
        finally:
            server.should_exit = server.force_exit = True  # whoever is still stalled waits in vain
            thread.join(timeout=10)
