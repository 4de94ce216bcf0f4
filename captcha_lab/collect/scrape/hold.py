"""One turn for each site: what it asked for holds for every data set of the workspace and every process."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.files import read_file, write_bytes
from captcha_lab.store.locks import locked
from captcha_lab.store.workspace import DatasetFolder

FOLDER = ".origins"  # beside the data sets; no data set's name begins with a dot


@dataclass(frozen=True)
class OriginHold:
    """What is remembered of one origin, in one file."""

    origin: str
    path: Path

    @classmethod
    def of(cls, folder: DatasetFolder, origin: str) -> OriginHold:
        """The one of an origin, for the workspace that a data set lies in."""
        name = quote(origin, safe="")[:200]
        return cls(origin, folder.root.parent / FOLDER / f"{name}.json")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only process that asks this site.

        Raises:
            CaptchaLabError: another one is at it.
        """
        busy = f"Another scrape of {self.origin} is under way in this workspace: wait for it, or stop it."
        with locked(self.path.with_suffix(".lock"), busy):
            yield

    def until(self) -> float:
        """Unix seconds before which the site is not asked; 0 where it asked for nothing.

        Raises:
            CaptchaLabError: the file is damaged, so that what the site asked for is unknown.
        """
        if not self.path.exists():
            return 0.0
        try:
            until = float(json.loads(read_file(self.path))["not_before"])
            if math.isfinite(until):
                return until
        except (CaptchaLabError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            pass
        raise CaptchaLabError(
            f"{self.path} is damaged: it says until when {self.origin} asked not to be fetched from. "
            "Remove it if that is past."
        )

    def extend(self, until: float) -> None:
        """Remember a moment; the latest one of all counts."""
        if until > self.until():
            facts = {"origin": self.origin, "not_before": until}
            write_bytes(self.path, (json.dumps(facts) + "\n").encode())
