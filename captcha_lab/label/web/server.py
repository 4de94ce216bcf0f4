"""Serving the review page on this machine until interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.web.access import Access, load_secret
from captcha_lab.label.web.app import build_app
from captcha_lab.label.web.config import HOST, ReviewConfig
from captcha_lab.label.web.connections import BACKLOG, Connection, quiet
from captcha_lab.label.web.desk import Desk

ANY_PORT = 0


def bind(port: int, *, or_any: bool = False) -> socket.socket:
    """A socket on 127.0.0.1; with `or_any` another port where that one is taken.

    Raises:
        CaptchaLabError: the port is taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if or_any:
            return bind(ANY_PORT)
        raise CaptchaLabError(
            f"Port {port} of {HOST} can't be used ({error.strerror}): choose another with --port, or 0 for any."
        ) from error
    return sock


def serve(
    desk: Desk, config: ReviewConfig, on_start: Callable[[str], None], *, port_is_a_wish: bool = False
) -> None:
    """Serve the page until Ctrl-C; `on_start(url)` is called once connections are taken.

    Args:
        desk: what the page works on; it is started here and closed at the end.
        config: port, browser and limits.
        on_start: gets the address with its token.
        port_is_a_wish: take any other port where `config.port` is taken.

    Raises:
        CaptchaLabError: the port is taken, or the dataset's folder can't be written.
    """
    with bind(config.port, or_any=port_is_a_wish) as sock, contextlib.closing(desk):
        server, url = _server(desk, config, sock)
        with contextlib.ExitStack() as stack:
            on_start(url)
            desk.start()
            if config.browser and has_display():
                webbrowser.open(stack.enter_context(_door(desk.folder.root, url)).as_uri())
            with contextlib.suppress(KeyboardInterrupt):
                server.run(sockets=[sock])


@contextlib.contextmanager
def running_review(desk: Desk, config: ReviewConfig) -> Iterator[str]:
    """The page served from a thread of this process for the length of the block; yields its address.

    Raises:
        CaptchaLabError: see `serve`.
    """
    with bind(config.port) as sock, contextlib.closing(desk):
        server, url = _server(desk, config, sock)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        desk.start()
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def _server(desk: Desk, config: ReviewConfig, sock: socket.socket) -> tuple[uvicorn.Server, str]:
    access = Access.of_secret(load_secret(desk.folder.root))
    port = sock.getsockname()[1]
    options = uvicorn.Config(
        build_app(desk, access, port, config),
        http=Connection,
        backlog=BACKLOG,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # strangers' malformed requests are warnings, a line each, thousands of them
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    return _QuietServer(options), f"http://{HOST}:{port}/{access.room}/?token={access.token}"


class _QuietServer(uvicorn.Server):
    """Says nothing about connections that could not be taken."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        asyncio.get_running_loop().set_exception_handler(quiet)
        await super().startup(sockets)


def has_display() -> bool:
    """Whether a graphical browser can be opened here (and not a text browser in this very terminal)."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def _door(folder: Path, url: str) -> Iterator[Path]:
    """A file only its owner can read, leading to the address: a command line shows to everyone on the machine."""
    handle, name = tempfile.mkstemp(prefix="review-", suffix=".html", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(
                f'<!doctype html><meta http-equiv="refresh" content="0;url={url}"><a href="{url}">Review</a>'
            )
        yield path
    finally:
        path.unlink(missing_ok=True)
