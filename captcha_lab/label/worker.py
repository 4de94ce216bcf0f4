"""The work behind the questions: cutting what is new, comparing shapes, training; in a thread of low priority."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.questions.asking import Engine, EngineMaker
from captcha_lab.segment import Segmenter
from captcha_lab.store.workspace import DatasetFolder

if TYPE_CHECKING:
    from captcha_lab.datasets.cutting import SegmentReport


@dataclass(frozen=True)
class Status:
    """What the worker is doing: `phase` in words, empty when idle; `problem` when it had to give up."""

    phase: str
    done: int
    total: int
    ready: bool
    problem: str


class Worker:
    """Makes the engine, then trains whenever enough has changed or somebody asks."""

    def __init__(
        self, folder: DatasetFolder, alphabet: Alphabet, segmenter: Segmenter, make_engine: EngineMaker
    ) -> None:
        self._folder, self._alphabet, self._segmenter = folder, alphabet, segmenter
        self._make_engine = make_engine
        self.engine: Engine | None = None
        self.trainings = 0  # so far
        self._phase, self._progress, self._problem = "starting", (0, 0), ""
        self._wake = threading.Event()
        self._asked = self._stopping = False
        self._thread = threading.Thread(target=self._run, name="label-worker", daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it works in the background (else the caller calls `cut`, `compare` and `train_if_due`)."""
        return self._thread.is_alive()

    def stop(self, seconds: float = 5.0) -> None:
        """End after the step in hand, waiting no longer than so many seconds."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def look(self) -> None:
        """Labels changed: see whether enough has for another training."""
        self._wake.set()

    def ask(self) -> bool:
        """Train now, whatever changed; False while there is no engine."""
        if self.engine is None:
            return False
        self._asked = True
        self._wake.set()
        return True

    def status(self) -> Status:
        """What is going on at this moment."""
        return Status(self._phase, *self._progress, self.engine is not None, self._problem)

    def _run(self) -> None:
        try:
            if self.engine is None:
                self.cut()
            if self.engine is None and not self._stopping:
                self.compare()
            _lower_priority()
            while not self._stopping:
                self._wake.wait()
                self._wake.clear()
                if not self._stopping:
                    self.train_if_due()
        except CaptchaLabError as error:
            self._problem, self._phase = str(error), ""
        except Exception as error:  # the page must say that the work behind it ended, whatever ended it
            traceback.print_exc(file=sys.stderr)
            self._problem, self._phase = f"an error inside captcha-lab: {error!r}", ""

    def cut(self) -> SegmentReport:
        """Cut what has come since the last cut (see `segment_dataset` for errors)."""
        from captcha_lab.datasets.cutting import segment_dataset

        self._phase = "cutting new captchas"
        report = segment_dataset(self._folder, self._segmenter, self._report, only_new=True)
        self._phase, self._progress = "", (0, 0)
        return report

    def compare(self) -> None:
        """Make the engine (see its maker for errors)."""
        self._phase = "comparing shapes"
        self.engine = self._make_engine(self._folder, self._alphabet, self._report)
        self._phase, self._progress = "", (0, 0)
        self._wake.set()

    def train_if_due(self) -> None:
        """Train if enough has changed or somebody asked."""
        engine = self.engine
        if engine is None or not (self._asked or engine.panel().stale):
            return
        self._asked = False
        self._phase, self._progress = "learning from your labels", (0, 0)
        engine.retrain()
        self.trainings += 1
        self._phase, self._progress = "", (0, 0)

    def _report(self, done: int, total: int) -> None:
        self._progress = (done, total)


def _lower_priority() -> None:
    """On Linux priorities belong to threads: the keys of the person go before training.

    What comes before the first question keeps its priority, because the person waits for it.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
