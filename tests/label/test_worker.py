"""The work behind the questions: what it does without being asked, and what it says it is doing."""

import os
import sys
import threading
from collections.abc import Mapping, Sequence

import pytest

from captcha_lab.alphabet import Alphabet
from captcha_lab.label.questions.mixed import MixedEngine
from captcha_lab.label.questions.protocol import Progress, Readings
from captcha_lab.label.questions.texts.engine import TextEngine
from captcha_lab.label.questions.types import Answer, LabelConfig
from captcha_lab.label.simulate import memory_log
from captcha_lab.label.worker import Worker, WorkStep
from captcha_lab.recognise.contract import Reading

COUNT = 20


class Recording:
    """Reads "22" everywhere, and notes what the worker says while it learns."""

    name, learns = "recording", True

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.worker: Worker | None = None

    def read(self, images: Sequence[int], progress: Progress) -> Readings:
        return {k: Reading("22", 0.6, (0.7, 0.7)) for k in images}

    def propose(self, images: Sequence[int], texts: Mapping[int, str], progress: Progress) -> Readings:
        assert self.worker is not None
        self.phases.append(self.worker.status().phase)
        return self.read(images, progress)

    def cross_read(self, images: Sequence[int], texts: Mapping[int, str]) -> Readings:
        return {}


def _priority() -> int:
    """Of the thread that asks; on Linux each thread has its own."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def unlabelled() -> MixedEngine:
    """An engine of captchas without a label."""
    images = range(1, COUNT + 1)
    return MixedEngine(
        TextEngine(images, memory_log([(k, 0) for k in images]), Alphabet("2"), LabelConfig(retrain_after=8))
    )


def working(engine: MixedEngine, reader: Recording) -> Worker:
    """A worker, not started, whose only step lets the reader read all captchas."""

    def begin(progress: Progress) -> None:
        engine.texts.proposer = reader
        engine.texts.read(progress)

    reader.worker = Worker(engine, [WorkStep("reading captchas", begin)])
    return reader.worker


def test_it_says_what_the_reader_learns_from() -> None:
    """From the captchas alone before the first label, then from labels once there are enough; nothing twice."""
    engine = unlabelled()
    reader = Recording()
    worker = working(engine, reader)
    worker.prepare()
    assert reader.phases == []
    worker.train_if_due()
    worker.train_if_due()
    assert reader.phases == ["learning from what is read surely"]
    for question in engine.texts.questions("captcha", 8):
        engine.texts.answer(Answer(question, "22"))
        worker.train_if_due()
    assert reader.phases == ["learning from what is read surely", "learning from your labels"]


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux does a thread have a priority of its own")
def test_it_learns_at_the_priority_of_the_page() -> None:
    """The page needs the locks that it holds: with a lower one a busy machine made the page wait for minutes."""
    engine = unlabelled()
    found: list[int] = []
    learned = threading.Event()

    class Measuring(Recording):
        def propose(self, images: Sequence[int], texts: Mapping[int, str], progress: Progress) -> Readings:
            found.append(_priority())
            learned.set()
            return super().propose(images, texts, progress)

    worker = working(engine, Measuring())
    worker.start()
    try:
        assert learned.wait(30)
    finally:
        worker.stop()
    assert found[0] == _priority()
