"""Settings of the review page; without heavy imports, so that the command line can show them."""

from __future__ import annotations

from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True)
class ReviewConfig:
    """How the page is served."""

    port: int = 8417  # the same at every start, so that an open page finds a restarted server again
    browser: bool = True  # open the page in the browser where there is a display
    max_body: int = 1 << 20  # bytes of a request; the largest act (a cluster of 40,000 glyphs) has 0.8 MB
    upcoming: int = 6  # questions a page holds ready, so that typing never waits for the line
