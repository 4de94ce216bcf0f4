"""The files of a folder, each listed once: links that form circles, pipes and devices are no files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from captcha_lab.errors import CaptchaLabError


def list_files(folder: Path, left_out: list[str] | None = None) -> Iterator[tuple[str, os.stat_result]]:
    """(name with `/` between its parts, facts) of each ordinary file below a folder, hidden ones left out.

    Links to files and folders are followed, but each folder is entered once, by its own name rather than by a link
    where it has both: so links never form a circle, nor many ways to one place.

    Args:
        folder: where to begin.
        left_out: gets the names of pipes, devices, sockets and links to nothing.

    Raises:
        CaptchaLabError: the folder, or one in it, can't be read.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [(folder, "")]
    links: list[tuple[Path, str]] = []
    while waiting or links:
        path, prefix = waiting.pop() if waiting else links.pop()
        try:
            facts = path.stat()
            if (facts.st_dev, facts.st_ino) in seen:
                continue
            seen.add((facts.st_dev, facts.st_ino))
            with os.scandir(path) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
                    name = f"{prefix}{entry.name}"
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        (links if entry.is_symlink() else waiting).append((Path(entry.path), f"{name}/"))
                    elif entry.is_file():
                        yield name, entry.stat()
                    elif left_out is not None:
                        left_out.append(name)
        except (OSError, ValueError) as error:
            raise CaptchaLabError(
                f"{path} can't be read: {getattr(error, 'strerror', None) or error}."
            ) from error
