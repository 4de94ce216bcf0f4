"""Reading of image files and folders by whatever reader."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captcha_lab.errors import CaptchaLabError
from captcha_lab.recognise.contract import CaptchaReader
from captcha_lab.store.images import read_image
from captcha_lab.store.listing import list_files


@dataclass(frozen=True)
class FileReading:
    """One file's text, with the probability that all of it is right, and of each character.

    `trusted` is False where the first is below what the user asked for: a person should read that one.
    """

    file: str
    text: str
    confidence: float
    confidences: tuple[float, ...]
    trusted: bool = True


@dataclass(frozen=True)
class ReadReport:
    """What `read_files` read, what it could not and why, how fast it was (wall-clock seconds), and by which model."""

    readings: list[FileReading]
    unreadable: list[str]
    seconds: float
    model: str = ""


def read_files(
    reader: CaptchaReader,
    paths: Sequence[Path],
    progress: Callable[[int, int], None] = lambda done, total: None,
    batch: int = 256,
    *,
    min_confidence: float = 0.0,
) -> ReadReport:
    """Read image files, and the files in folders (recursively, by name), in batches.

    A file that is no image is reported and the rest goes on.

    Raises:
        CaptchaLabError: a named path does not exist, or a folder holds no file.
    """
    files = [file for path in paths for file in files_in(path)]
    readings: list[FileReading] = []
    problems: list[str] = []
    started = time.perf_counter()
    for start in range(0, len(files), batch):
        decoded: list[tuple[Path, np.ndarray]] = []
        for file in files[start : start + batch]:
            try:
                decoded.append((file, read_image(file)))
            except CaptchaLabError as error:
                problems.append(str(error))
        for (file, _), reading in zip(decoded, reader.read([image for _, image in decoded]), strict=True):
            trusted = reading.confidence >= min_confidence
            readings.append(
                FileReading(str(file), reading.text, reading.confidence, reading.per_character, trusted)
            )
        progress(min(start + batch, len(files)), len(files))
    return ReadReport(readings, problems, time.perf_counter() - started)


def files_in(path: Path) -> list[Path]:
    """The path itself, or all files under a folder in the order of their names.

    Raises:
        CaptchaLabError: it does not exist, the folder is empty, or one in it can't be read.
    """
    if not path.exists():
        raise CaptchaLabError(f"{path} does not exist: name image files or folders of them.")
    if not path.is_dir():
        return [path]
    found = sorted(path / name for name, _ in list_files(path))
    if not found:
        raise CaptchaLabError(f"The folder {path} holds no files.")
    return found
