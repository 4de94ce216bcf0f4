"""One HTTP GET under strict limits: no redirects, no .netrc, no cookies unless wanted, bounded time and memory."""

from __future__ import annotations

import http.client
import socket
import threading
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from captcha_lab.text import clipped

_CHUNK = 1 << 14
MAX_INTERIM = 10  # interim replies before one reply


class FetchError(Exception):
    """No usable reply; the message says why. `status` where headers came; `fatal` where trying again is useless."""

    def __init__(self, reason: str, *, status: int | None = None, size: int = 0, fatal: bool = False) -> None:
        super().__init__(reason)
        self.status, self.size, self.fatal = status, size, fatal


@dataclass(frozen=True)
class Reply:
    """Status, headers (looked up without regard to case) and, for 2xx, the body with any gzip undone."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """The declared type without parameters, in lower case; empty where none was declared."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class _Response(http.client.HTTPResponse):
    """A reply after any interim ones (103 Early Hints), which Python's own takes for the reply itself."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("interim replies without end")


class _Adapter(HTTPAdapter):
    """An adapter that knows its open sockets, so that a watchdog can cut them whatever they are doing."""

    def __init__(self) -> None:
        # The sockets, not the connections: a connection lets go of its socket when a reply says "close".
        self.sockets: WeakSet[socket.socket] = WeakSet()
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools()

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = self._pools()
        return manager

    def _pools(self) -> dict[str, type[HTTPConnectionPool]]:
        return {"http": self._watched(HTTPConnectionPool), "https": self._watched(HTTPSConnectionPool)}

    def _watched(self, pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
        sockets = self.sockets
        base: Any = pool.ConnectionCls

        class Connection(base):  # type: ignore[misc]
            response_class = _Response

            def connect(self) -> None:
                super().connect()
                sockets.add(self.sock)

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})

    def cut(self) -> None:
        """Shut every open socket down: a read that waits on one ends at once."""
        for sock in list(self.sockets):
            with suppress(OSError):  # it went by itself
                sock.shutdown(socket.SHUT_RDWR)


class Client:
    """GETs URLs one at a time; a context manager.

    Args:
        user_agent: sent with every request.
        max_bytes: largest body taken, before and after any gzip is undone.
        silence: seconds without a byte after which a request is given up.
        deadline: seconds after which a request is given up however busy it is.
        cookies: whether the site's cookies are kept and sent.
        ca: file of the certificate authorities to trust instead of the usual ones, "" for those.
        proxies: of a URL, by scheme as `requests` takes them.
        accept: the media types asked for.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        max_bytes: int,
        silence: float,
        deadline: float,
        cookies: bool = False,
        ca: str = "",
        proxies: Callable[[str], dict[str, str]] = lambda url: {},
        accept: str = "image/*, text/plain;q=0.5",
    ) -> None:
        self.max_bytes, self.silence, self.deadline = max_bytes, silence, deadline
        self._proxies = proxies
        self._session = requests.Session()
        self._session.trust_env = False  # no .netrc, no proxies from the environment
        # Identity: a body that isn't packed can't be a bomb. What comes gzipped all the same is undone with care.
        self._session.headers.update(
            {"User-Agent": user_agent, "Accept": accept, "Accept-Encoding": "identity"}
        )
        if not cookies:
            self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.verify = ca or True
        self._adapter = _Adapter()
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def get(self, url: str) -> Reply:
        """One GET.

        Raises:
            FetchError: no reply in time, a broken or over-long one, or an encoding that wasn't asked for.
        """
        overdue = threading.Event()

        def cut() -> None:
            overdue.set()
            self._adapter.cut()

        watchdog = threading.Timer(self.deadline, cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            reply = self._get(url)
        except FetchError as error:
            if overdue.is_set():
                raise self._late(error.status, error.size) from error
            raise
        finally:
            watchdog.cancel()
        if overdue.is_set():  # a body without a length looks whole when it is cut
            raise self._late(reply.status, len(reply.body))
        return reply

    def _late(self, status: int | None, size: int) -> FetchError:
        return FetchError(f"not done after {self.deadline:g} s", status=status, size=size)

    def _get(self, url: str) -> Reply:
        try:
            response = self._session.get(
                url, timeout=self.silence, stream=True, allow_redirects=False, proxies=self._proxies(url)
            )
        except requests.exceptions.SSLError as error:
            raise FetchError(
                f"the TLS connection can't be trusted ({_cause(error)}); for an authority of your own give --ca FILE",
                fatal=True,
            ) from error
        except requests.exceptions.Timeout as error:
            raise FetchError(f"no answer within {self.silence:g} s") from error
        except (requests.exceptions.RequestException, HTTPError, ValueError, OSError) as error:
            raise FetchError(f"no connection or a broken one ({_cause(error)})") from error
        with response:
            if not 200 <= response.status_code < 300:
                return Reply(response.status_code, response.headers)
            return Reply(response.status_code, response.headers, self._body(response))

    def _body(self, response: requests.Response) -> bytes:
        status = response.status_code
        declared = response.headers.get("Content-Length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:18]) > self.max_bytes:
            raise FetchError(f"a body of {declared[:18]} bytes, more than {self.max_bytes}", status=status)
        parts: list[bytes] = []
        size = 0
        try:
            while size <= self.max_bytes and (part := response.raw.read1(_CHUNK, decode_content=False)):
                parts.append(part)
                size += len(part)
        except (HTTPError, requests.exceptions.RequestException, OSError, ValueError) as error:
            raise FetchError(f"the body broke off ({_cause(error)})", status=status, size=size) from error
        if size > self.max_bytes:
            raise FetchError(f"a body of more than {self.max_bytes} bytes", status=status, size=size)
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        return self._unpack(b"".join(parts), encoding, status)

    def _unpack(self, data: bytes, encoding: str, status: int) -> bytes:
        if encoding in ("identity", ""):
            return data
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise FetchError(
                f"the body is {encoding}-encoded, which was not asked for", status=status, size=len(data)
            )
        # 32 + MAX_WBITS: gzip or zlib, whichever the header says.
        unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS)
        try:
            whole = unpacker.decompress(data, self.max_bytes + 1)
        except zlib.error as error:
            raise FetchError(f"the {encoding} body is damaged", status=status, size=len(data)) from error
        if len(whole) > self.max_bytes:
            raise FetchError(
                f"a {encoding} body of {len(data)} bytes that unpacks to more than {self.max_bytes}",
                status=status,
                size=len(data),
            )
        if not unpacker.eof:
            raise FetchError(f"the {encoding} body is cut short", status=status, size=len(data))
        return whole


def _cause(error: BaseException) -> str:
    """The innermost reason in a few words."""
    while (
        inner := getattr(error, "reason", None)
        or next((a for a in reversed(error.args) if isinstance(a, BaseException)), None)
    ) and isinstance(inner, BaseException):
        error = inner
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return clipped(str(text), 120)
