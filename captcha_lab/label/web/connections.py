"""Connections of the review page: few at a time, none that keeps silent, and no flood of words about them."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 64  # a browser opens six to a host
BACKLOG = 16  # connections that wait to be taken
HEADER_SECONDS = 10.0  # for a request's head, from the connection or the reply before


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1, closed where no whole request head comes in time, or where there are too many.

    Of too many the one goes that has said nothing for longest: whoever only connects does not keep others out.
    """

    silent: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection is taken."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > MAX_CONNECTIONS:
            idle = [c for c in self.connections if isinstance(c, Connection) and c.silent is not None]
            oldest = min(idle, key=lambda c: c.silent.when() if c.silent else 0.0, default=self)
            oldest.transport.abort()

    def handle_events(self) -> None:
        """Bytes have come."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
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

    def _wait(self) -> None:
        self._stop_waiting()
        self.silent = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self.silent is not None:
            self.silent.cancel()
            self.silent = None


def quiet(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception handler for the loop: where file handles run out, nothing is to be said, thousands of times."""
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)
