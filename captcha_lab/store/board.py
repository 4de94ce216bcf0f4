"""TensorBoard event files of a run."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from captcha_lab.errors import CaptchaLabError
from captcha_lab.extras import available


def open_board(folder: Path, done: int = 0) -> Board | None:
    """The event files of a run, as `Board`; None where TensorBoard is not installed."""
    return Board(folder, done) if available("tensorboard") else None


class Board:
    """Writes scalars and pictures; the import of TensorBoard waits until there is something to write.

    Args:
        folder: of the event files.
        done: iterations already done: what older files say beyond them is hidden.

    Raises:
        CaptchaLabError: the disk refuses, now or in any method; most often some points later, as a thread writes.
    """

    def __init__(self, folder: Path, done: int) -> None:
        self.folder = folder
        _keep_quiet()
        with self._told(), warnings.catch_warnings():
            # TensorBoard's own imports warn about their dependencies, which is none of the user's business.
            warnings.simplefilter("ignore", DeprecationWarning)
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None)

    def scalars(self, kind: str, figures: dict[str, float], iteration: int) -> None:
        """One point on each curve."""
        with self._told():
            for key, value in figures.items():
                self._writer.add_scalar(f"{kind}/{key}", value, iteration)

    def readers(self, figures: dict[str, float], position: int) -> None:
        """The figures of a reader's evaluation, at an epoch or step: `train_loss` is a point of train/loss."""
        for key, value in figures.items():
            kind, _, name = key.partition("_")
            if kind in ("train", "validation"):
                self.scalars(kind, {name: value}, position)

    def picture(self, name: str, pixels: np.ndarray, iteration: int) -> None:
        """A picture uint8 [H, W] or [H, W, 3]."""
        layout = "HW" if pixels.ndim == 2 else "HWC"
        with self._told():
            self._writer.add_image(name, pixels, iteration, dataformats=layout)

    def close(self) -> None:
        """Flush and close the files."""
        with self._told():
            self._writer.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CaptchaLabError(
                f"Can't write {self.folder}: {error.strerror or error}. Free space and continue the run."
            ) from error


@cache
def _keep_quiet() -> None:
    """The thread that writes dies of a full disk with a traceback of its own; `Board` tells its error."""
    usual = threading.excepthook

    def hook(what: threading.ExceptHookArgs) -> None:
        if type(what.thread).__name__ != "_AsyncWriterThread" or not isinstance(what.exc_value, OSError):
            usual(what)

    threading.excepthook = hook
