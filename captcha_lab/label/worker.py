"""The work behind the questions: cutting what is new, comparing shapes, training; in a thread of its own.

The thread keeps the priority of the others: the keys of the person need the locks that it holds (the engine's, the
interpreter's), so a thread that seldom runs on a busy machine would let the page wait for it.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.questions.mixed import MixedEngine
from captcha_lab.label.questions.protocol import Progress

LEARNING = "learning from your labels"
LEARNING_ALONE = "learning from what is read surely"


WORKER_THREAD = "label-worker"  # name of the thread that works behind the questions


@dataclass(frozen=True)
class WorkStep:
    """A piece of work before the engine is complete: its name for the person, and what does it."""

    phase: str
    run: Callable[[Progress], None]


@dataclass(frozen=True)
class WorkerStatus:
    """What the worker is doing: `phase` in words, empty when idle; `problem` when it had to give up."""

    phase: str
    done: int
    total: int
    ready: bool  # all steps are done
    problem: str


class Worker:
    """Does the steps that complete an engine, then trains whenever enough has changed or somebody asks."""

    def __init__(self, engine: MixedEngine, steps: Sequence[WorkStep]) -> None:
        self._engine, self._steps = engine, list(steps)
        self.changes = 0  # grows whenever proposals may have changed without a label
        self._phase, self._progress, self._problem = "starting", (0, 0), ""
        self._wake = threading.Event()
        self._asked = self._stopping = self._ready = False
        self._thread = threading.Thread(target=self._run, name=WORKER_THREAD, daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it works in the background (else the caller calls `prepare` and `train_if_due`)."""
        return self._thread.is_alive()

    def stop(self, seconds: float = 1.0) -> None:
        """End after the step in hand, waiting no longer than so many seconds."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def look(self) -> None:
        """Labels changed: see whether enough has for another training."""
        self._wake.set()

    def ask(self) -> bool:
        """Train now, whatever changed; False while the steps before are not done."""
        if not self._ready:
            return False
        self._asked = True
        self._wake.set()
        return True

    def status(self) -> WorkerStatus:
        """What is going on at this moment."""
        return WorkerStatus(self._phase, *self._progress, self._ready, self._problem)

    def _run(self) -> None:
        try:
            self.prepare()
            self._wake.set()
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

    def prepare(self) -> None:
        """Do all steps that are not done yet (see each for errors)."""
        while self._steps and not self._stopping:
            step = self._steps.pop(0)
            self._begin(step.phase)
            step.run(self._report)
            self.changes += 1
        self._ready = True
        self._begin("")

    def train_if_due(self) -> None:
        """Train if enough has changed or somebody asked."""
        panel = self._engine.panel()
        if not (self._asked or panel.stale):
            return
        self._asked = False
        self._begin(LEARNING if panel.labelled else LEARNING_ALONE)
        self._engine.retrain()
        self.changes += 1
        self._begin("")

    def _begin(self, phase: str) -> None:
        self._progress, self._phase = (0, 0), phase

    def _report(self, done: int, total: int) -> None:
        self._progress = (done, total)
