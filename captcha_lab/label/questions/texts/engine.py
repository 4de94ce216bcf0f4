"""The text engine: questions about whole captchas; ready at once, better once a reader proposes texts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import UsageError
from captcha_lab.label.questions.audit import audit_order
from captcha_lab.label.questions.meaning import marks_of
from captcha_lab.label.questions.protocol import Progress, Readings
from captcha_lab.label.questions.texts.panel import text_panel
from captcha_lab.label.questions.texts.proposer import TextProposer
from captcha_lab.label.questions.texts.state import TextState
from captcha_lab.label.questions.texts.typed import typed_text
from captcha_lab.label.questions.types import (
    EVEN_ODDS,
    Answer,
    LabelConfig,
    LabelPanel,
    Outcome,
    Question,
    Queue,
    QueueName,
    Target,
)
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog

TEXT_QUEUES: tuple[QueueName, ...] = ("grid", "suspects", "audit", "captcha")


class TextEngine:
    """Questions and answers about whole captchas of any length; every method may be called from any thread.

    Args:
        images: ids of the captchas, in the order they came.
        log: where answers go.
        alphabet: decides the case of letters; characters outside it are taken as they are typed.
        config: see `LabelConfig`.
    """

    def __init__(
        self, images: Sequence[int], log: LabelLog, alphabet: Alphabet, config: LabelConfig | None = None
    ) -> None:
        self.config = config or LabelConfig()
        self.log, self.alphabet = log, alphabet
        self.folded = True  # whether letters take the alphabet's case
        self.assumed = False  # whether nobody named the alphabet, and no label shows it
        self._state = TextState(images, log, self.config)
        self._lock, self._training = threading.RLock(), threading.Lock()

    @property
    def images(self) -> tuple[int, ...]:
        """Ids of the captchas in use."""
        return self._state.images

    @property
    def proposer(self) -> TextProposer | None:
        """What reads captchas and learns from labels, if anything does."""
        return self._state.proposer

    @proposer.setter
    def proposer(self, proposer: TextProposer | None) -> None:
        self._state.proposer = proposer

    def follow(self, source: Callable[[], Readings]) -> None:
        """Take the proposals from here whenever labels change, instead of from a trained reader."""
        with self._lock:
            self._state.follow(source)

    def set_aside(self, image_ids: Collection[int]) -> None:
        """Leave these captchas out, and no others."""
        with self._lock:
            self._state.set_aside(image_ids)

    def refresh(self) -> None:
        """The proposals may have changed without a label."""
        with self._lock:
            self._state.refresh()

    # Questions

    def queues(self) -> list[Queue]:
        """The queues with their counts and what the next key in each is worth."""
        with self._lock:
            choice = self._state.choice()
            counts = {
                "grid": len(choice.pages),
                "suspects": len(self._state.disputed()),
                "audit": sum((k, None) not in self._state.audits for k in self._state.labels),
                "captcha": len(choice.waiting),
            }
            heads = {name: next(self._iterate(name, frozenset()), None) for name in TEXT_QUEUES}
            return [
                Queue.named(name, counts[name], head.worth if (head := heads[name]) else 0.0)
                for name in TEXT_QUEUES
            ]

    def questions(self, queue: str, count: int = 1, exclude: Collection[str] = frozenset()) -> list[Question]:
        """The next `count` questions of a queue, without those whose id is in `exclude`.

        Raises:
            UsageError: there is no such queue.
        """
        name = next((name for name in TEXT_QUEUES if name == queue), None)
        if name is None:
            raise UsageError(f"There is no queue {queue!r}: choose one of {', '.join(TEXT_QUEUES)}.")
        with self._lock:
            return list(islice(self._iterate(name, exclude), count))

    def texts(self) -> dict[int, str]:
        """The text of every captcha: its label, else its proposal."""
        with self._lock:
            self._state.choice()
            return {k: r.text for k, r in self._state.readings.items()} | {
                k: label.value for k, label in self._state.labels.items()
            }

    def sure_texts(self, least: float) -> dict[int, str]:
        """The text of every captcha that has a label, or a proposal with at least this confidence."""
        with self._lock:
            self._state.choice()
            doubtful = {
                k
                for k, r in self._state.readings.items()
                if r.confidence < least and k not in self._state.labels
            }
            return {k: text for k, text in self.texts().items() if k not in doubtful}

    def _iterate(self, queue: QueueName, exclude: Collection[str]) -> Iterator[Question]:
        makers = {
            "grid": self._pages,
            "suspects": self._suspects,
            "audit": self._audit,
            "captcha": self._singles,
        }
        return (question for question in makers[queue](exclude) if question.id not in exclude)

    def _singles(self, exclude: Collection[str]) -> Iterator[Question]:
        choice = self._state.choice()
        held = [int(name.removeprefix("captcha-")) for name in exclude if name.startswith("captcha-")]
        for worth, k in choice.singles(held):
            member = self._state.member(k)
            offer = member.proposal if member.confidence >= EVEN_ODDS else None
            yield Question(f"captcha-{k}", "captcha", "text", (member,), offer, worth, self._state.revision)

    def _pages(self, exclude: Collection[str]) -> Iterator[Question]:
        for worth, page in self._state.choice().pages:
            members = tuple(self._state.member(k) for k in page)
            why = "captchas whose proposals are about equally sure"
            yield Question(
                f"texts-{page[0]}-{page[-1]}", "grid", "page", members, None, worth, self._state.revision, why
            )

    def _suspects(self, exclude: Collection[str]) -> Iterator[Question]:
        for k, text, confidence in self._state.disputed():
            member = self._state.member(k)
            why = f"labelled {member.label}; a reader that did not learn this label reads {text}"
            yield Question(
                f"suspect-text-{k}",
                "suspects",
                "text",
                (member,),
                text,
                confidence,
                self._state.revision,
                why,
            )

    def _audit(self, exclude: Collection[str]) -> Iterator[Question]:
        self._state.choice()
        for row in audit_order(len(self.images), self.config.seed).tolist():
            k = self.images[row]
            if k in self._state.labels and (k, None) not in self._state.audits:
                member = self._state.member(k, hidden=True)
                why = "audit: its present label is hidden"
                yield Question(
                    f"audit-text-{k}", "audit", "text", (member,), None, 0.0, self._state.revision, why
                )

    def panel(self) -> LabelPanel:
        """Where the work stands and when to stop."""
        with self._lock:
            return text_panel(self._state, self.queues(), "" if self.assumed else self.alphabet)

    # Answers

    def answer(self, answer: Answer) -> Outcome:
        """Save an answer: it is durable when this returns.

        Raises:
            UsageError: there is no such captcha, or no captcha has such a text.
            StaleRevisionError: the labels changed since the question was made; nothing was saved.
            CaptchaLabError: the disk refuses.
        """
        with self._lock:
            self._state.choice()
            by_hand, accepted = marks_of(answer, lambda target: ())
            events = [self._event(target, value, "human") for target, value in by_hand]
            if answer.question.queue == "audit":
                tested = [
                    (e.image_id, self._state.labels[e.image_id])
                    for e in events
                    if e.image_id in self._state.labels
                ]
                events = [LabelEvent(k, None, label.value, label.source) for k, label in tested] + events
            events += [self._event(target, value, "batch") for target, value in accepted]
            before = self._state.revision
            act = self.log.record(
                answer.question.queue,
                events,
                session=answer.session,
                keystrokes=answer.keystrokes,
                token=answer.token,
                expected_revision=answer.expected_revision,
            )
            if act > before:
                self._state.observe(events)
            targets = tuple((e.image_id, e.position) for e in events)
            return Outcome(act, self.log.revision, targets, value=events[-1].value if events else None)

    def _event(self, target: Target, value: str, source: str) -> LabelEvent:
        image_id, position = target
        if position is not None or image_id not in self._state.row_of:
            raise UsageError("There is no such captcha; nothing was saved.")
        text = typed_text(value)
        return LabelEvent(image_id, None, self.alphabet.fold(text) if self._folds(text) else text, source)

    def _folds(self, text: str) -> bool:
        """Whether a text's letters take the alphabet's case.

        Where the alphabet is only assumed, what a reader sees and texts with capitals in them are kept.
        """
        kept = self.assumed and (self._state.reads or text != text.lower())
        return self.folded and not kept

    def accept_rest(
        self,
        *,
        session: str = "",
        keystrokes: int = 1,
        token: str | None = None,
        expected_revision: int | None = None,
    ) -> Outcome | None:
        """Make every proposal that waits a label, in one act; None where there is none (errors as in `answer`)."""
        with self._lock:
            self._state.choice()
            events = [
                LabelEvent(k, None, self._state.readings[k].text, "batch") for k in self._state.waiting()
            ]
            if not events and (token is None or self.log.act_named(token) is None):
                return None
            act = self.log.record(
                "rest",
                events,
                session=session,
                keystrokes=keystrokes,
                token=token,
                expected_revision=expected_revision,
            )
            return Outcome(act, self.log.revision, tuple((e.image_id, e.position) for e in events))

    def best_labels(self) -> list[str]:
        """The text of every captcha in the order of `images`; its proposal where it has none, else ""."""
        texts = self.texts()
        return [texts.get(k, "") for k in self.images]

    def due(self, keystrokes: int) -> bool:
        """Whether the reader should learn again after so many keys since the last time."""
        with self._lock:
            self._state.choice()
            return self._state.stale()

    def read(self, progress: Progress, most: int | None = None) -> None:
        """Read captchas by the reader as it is, before it learns from any label.

        Args:
            progress: told (done, total) captchas.
            most: how many at most, spread evenly; all where None.
        """
        proposer, images = self.proposer, self.images
        if proposer is None:
            return
        step = 1 if most is None else max(1, len(images) // most)
        readings = proposer.read(images[::step], progress)
        with self._lock:
            self._state.take(readings)

    def retrain(self, progress: Progress = lambda done, total: None) -> None:
        """Train the reader on the labels so far and read all captchas; other methods go on meanwhile.

        While labels are few it learns from what it reads surely, if that helps.
        """
        with self._training:
            with self._lock:
                proposer, texts = self.proposer, self._state.known()
                labelled, images = len(self._state.labels), self.images
            if proposer is None:
                return
            readings = proposer.propose(images, texts, progress)
            with self._lock:
                self._state.trained_with(labelled)
                if readings:
                    self._state.take(readings)

    def check(self) -> None:
        """Read the labelled captchas by readers that did not learn their labels, where labels have become many more."""
        with self._lock:
            proposer, texts, images = self.proposer, self._state.known(), self.images
            if proposer is None or not self._state.unchecked():
                return
        crossed = proposer.cross_read(images, texts)
        with self._lock:
            self._state.take_crossed(crossed)
