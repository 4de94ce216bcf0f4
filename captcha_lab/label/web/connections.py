"""Connections of the review page: few at a time, none that keeps silent, and no flood of words about them."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from captcha_lab.label.web.guard import BODY_SECONDS

MAX_CONNECTIONS = 64  # a browser opens six to a host
BACKLOG = 16  # connections that wait to be taken
HEADER_SECONDS = 10.0  # for a request's head, from the connection or the reply before


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1, closed where no whole request head comes in time, or where there are too many.

    Of too many the one goes that has been silent for longest, before a request or in the middle of one: whoever only
    connects, begins to ask, or takes no reply, does not keep others out.
    """

    silent: asyncio.TimerHandle | None = None
    since = 0.0  # when the silence, or the reply, began

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection is taken."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > MAX_CONNECTIONS:
            others = [c for c in self.connections if isinstance(c, Connection) and c is not self]
            silent = [c for c in others if c.silent is not None]
            oldest = min(silent or others, key=lambda c: c.since, default=self)
            oldest.transport.abort()

    def handle_events(self) -> None:
        """Bytes have come."""
        before = self.cycle
        super().handle_events()
        cycle = self.cycle
        # Whoever holds back a body is as silent as who says nothing.
        if cycle is not before and cycle.more_body:
            self._wait(BODY_SECONDS + 1.0)  # the guard says so first
        elif cycle is not None and not cycle.more_body and not cycle.response_complete:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """A reply has gone."""
        super().on_response_complete()
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self, seconds: float | None = None) -> None:
        self._stop_waiting()
        self.silent = self.loop.call_later(seconds or HEADER_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        self.since = self.loop.time()
        if self.silent is not None:
            self.silent.cancel()
            self.silent = None


def quiet(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception handler for the loop: where file handles run out, nothing is to be said, thousands of times."""
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)
