"""The text engine: questions about whole captchas; ready at once, better once a reader proposes texts."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import UsageError
from captcha_lab.label.questions.advice import advise, labels_to_go
from captcha_lab.label.questions.audit import audit_estimate, audit_order, audits_in
from captcha_lab.label.questions.meaning import marks_of
from captcha_lab.label.questions.protocol import Progress, Readings
from captcha_lab.label.questions.texts.calibration import Calibration
from captcha_lab.label.questions.texts.choice import TextChoice
from captcha_lab.label.questions.texts.panel import character_counts, disputes, text_confusions, text_estimate
from captcha_lab.label.questions.texts.proposer import FEWEST, TextProposer
from captcha_lab.label.questions.types import (
    EVEN_ODDS,
    MOST_CHARACTERS,
    Answer,
    CurvePoint,
    LabelConfig,
    Member,
    Outcome,
    Panel,
    Question,
    Queue,
    QueueName,
    Target,
)
from captcha_lab.store.catalog.labels import Label, LabelEvent, LabelLog

TEXT_QUEUES: tuple[QueueName, ...] = ("grid", "suspects", "audit", "captcha")
DISPUTED_FROM = 0.9  # confidence from which another reading makes a label a suspect
OBSERVED = 4  # answers after which confidences are calibrated again
RETRAIN_GROWTH = 0.3  # share by which labels must have grown before the reader learns again
CHECK_GROWTH = 1.25  # labels since the last out-of-fold reading from which it is done again


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
        self.log, self.alphabet, self.images = log, alphabet, tuple(images)
        self._all = self.images
        self.folded = True  # whether letters take the alphabet's case
        self.proposer: TextProposer | None = None
        self._source: Callable[[], Readings] | None = None
        self._lock, self._training = threading.RLock(), threading.Lock()
        self._labels: dict[int, Label] = {}
        self._raw: Readings = {}  # as the reader gave them
        self._believed: Readings = {}  # as the answers so far suggest to believe them
        self._readings: Readings = {}  # the proposals for captchas in use
        self._calibration, self._observed = Calibration(), 0
        self._crossed: Readings = {}
        self._row_of = {k: row for row, k in enumerate(self._all)}
        self._history: list[CurvePoint] = []
        self._revision, self._trained_with, self._checked = -1, 0, 0
        self._audits: dict[Target, bool] = {}
        self._settled: set[int] = set()
        self._choice: TextChoice | None = None

    def follow(self, source: Callable[[], Readings]) -> None:
        """Take the proposals from here whenever labels change, instead of from a trained reader."""
        with self._lock:
            self._source, self._choice = source, None

    def set_aside(self, image_ids: Collection[int]) -> None:
        """Leave these captchas out, and no others."""
        with self._lock:
            self.images = tuple(k for k in self._all if k not in image_ids)
            self._choice = None

    def refresh(self) -> None:
        """The proposals may have changed without a label."""
        with self._lock:
            self._choice = None

    # Questions

    def queues(self) -> list[Queue]:
        """The queues with their counts and what the next key in each is worth."""
        with self._lock:
            choice = self._follow()
            counts = {
                "grid": len(choice.pages()),
                "suspects": len(self._disputed()),
                "audit": sum((k, None) not in self._audits for k in self._labels),
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
        names = {name: name for name in TEXT_QUEUES}
        if queue not in names:
            raise UsageError(f"There is no queue {queue!r}: choose one of {', '.join(TEXT_QUEUES)}.")
        with self._lock:
            return list(islice(self._iterate(names[queue], exclude), count))

    def texts(self) -> dict[int, str]:
        """The text of every captcha: its label, else its proposal."""
        with self._lock:
            self._follow()
            return {k: r.text for k, r in self._readings.items()} | {
                k: label.value for k, label in self._labels.items()
            }

    def sure_texts(self, least: float) -> dict[int, str]:
        """The text of every captcha that has a label, or a proposal with at least this confidence."""
        with self._lock:
            self._follow()
            doubtful = {
                k for k, r in self._readings.items() if r.confidence < least and k not in self._labels
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
        choice = self._follow()
        held = [int(name.removeprefix("captcha-")) for name in exclude if name.startswith("captcha-")]
        for worth, k in (
            choice.singles(held) if self._readings else ((choice.worth(k), k) for k in choice.waiting)
        ):
            member = self._member(k)
            offer = member.proposal if member.confidence >= EVEN_ODDS else None
            yield Question(f"captcha-{k}", "captcha", "text", (member,), offer, worth, self._revision)

    def _pages(self, exclude: Collection[str]) -> Iterator[Question]:
        for worth, page in self._follow().pages():
            members = tuple(self._member(k) for k in page)
            why = "captchas whose proposals are about equally sure"
            yield Question(
                f"texts-{page[0]}-{page[-1]}", "grid", "page", members, None, worth, self._revision, why
            )

    def _disputed(self) -> list[tuple[int, str, float]]:
        """(image id, what it is read as, confidence) of disputes that still stand."""
        self._follow()
        found = disputes(self._labels, self._crossed, DISPUTED_FROM)
        return [(k, reading.text, reading.confidence) for k, reading in found if k not in self._settled]

    def _suspects(self, exclude: Collection[str]) -> Iterator[Question]:
        for k, text, confidence in self._disputed():
            member = self._member(k)
            why = f"labelled {member.label}; a reader that did not learn this label reads {text}"
            yield Question(
                f"suspect-text-{k}", "suspects", "text", (member,), text, confidence, self._revision, why
            )

    def _audit(self, exclude: Collection[str]) -> Iterator[Question]:
        self._follow()
        for row in audit_order(len(self.images), self.config.seed).tolist():
            k = self.images[row]
            if k in self._labels and (k, None) not in self._audits:
                member = Member(row, k, None)
                why = "blind: what do you see?"
                yield Question(f"audit-text-{k}", "audit", "text", (member,), None, 0.0, self._revision, why)

    def _member(self, image_id: int) -> Member:
        label, reading = self._labels.get(image_id), self._readings.get(image_id)
        return Member(
            self._row_of[image_id],
            image_id,
            None,
            label.value if label else None,
            label.source if label else None,
            reading.text if reading and reading.text else None,
            reading.confidence if reading else 0.0,
            reading.per_character if reading else (),
        )

    def panel(self) -> Panel:
        """Where the work stands and when to stop."""
        with self._lock:
            self._follow()
            queues, target = self.queues(), self.config.stop_at
            estimate = text_estimate(self.images, self._labels, self._readings)
            audits = list(self._audits.values())
            audit = audit_estimate(audits.count(False), len(audits), len(self._labels))
            by_hand = sum(label.source == "human" for label in self._labels.values())
            curve = tuple(p for p in self._history if p.labels < by_hand)
            if estimate.trials:
                curve += (CurvePoint(by_hand, estimate.value),)
            waiting = self._waiting_readings()
            best, stop, advice = advise(
                queues, estimate, audit, len(self._labels), len(self.images), target, "captchas"
            )
            pairs = [(self._labels[k].value, r.text) for k, r in self._crossed.items() if k in self._labels]
            return Panel(
                revision=self._revision,
                unit="captcha",
                total=len(self.images),
                labelled=len(self._labels),
                by_hand=by_hand,
                keystrokes=self.log.keystrokes(),
                estimate=estimate,
                audit=audit,
                curve=curve,
                target=target,
                labels_to_go=labels_to_go(curve, estimate.value, target) if estimate.trials else None,
                waiting=len(waiting),
                waiting_right=sum(waiting.values()) / len(waiting) if waiting else 1.0,
                confusions=text_confusions(pairs),
                characters=character_counts(self.alphabet, self._labels),
                best_queue=best,
                stop=stop,
                advice=advice,
                stale=self._stale(),
            )

    def _waiting_readings(self) -> dict[int, float]:
        """Captchas without a label that have a proposal, and its confidence."""
        return {k: r.confidence for k, r in self._readings.items() if r.text and k not in self._labels}

    # Answers

    def answer(self, answer: Answer) -> Outcome:
        """Save an answer: it is durable when this returns.

        Raises:
            UsageError: there is no such captcha, or no captcha has such a text.
            StaleRevisionError: the labels changed since the question was made; nothing was saved.
            CaptchaLabError: the disk refuses.
        """
        with self._lock:
            self._follow()
            by_hand, accepted = marks_of(answer, lambda target: ())
            events = [self._event(target, value, "human") for target, value in by_hand]
            if answer.question.queue == "audit":
                tested = [
                    (e.image_id, self._labels[e.image_id]) for e in events if e.image_id in self._labels
                ]
                events = [LabelEvent(k, None, label.value, label.source) for k, label in tested] + events
            events += [self._event(target, value, "batch") for target, value in accepted]
            before = self._revision
            act = self.log.record(
                answer.question.queue,
                events,
                session=answer.session,
                keystrokes=answer.keystrokes,
                token=answer.token,
                expected_revision=answer.expected_revision,
            )
            if act > before:
                self._observe(events)
            return Outcome(act, self.log.revision, tuple((e.image_id, e.position) for e in events))

    def _observe(self, events: Sequence[LabelEvent]) -> None:
        """Learn from an answer how far the proposals are to be believed."""
        for event in events:
            reading = self._raw.get(event.image_id)
            if reading is not None and event.value and event.image_id not in self._labels:
                self._calibration.observe(reading.confidence, right=reading.text == event.value)
                self._observed += 1
        if self._observed >= OBSERVED:
            self._calibrate()

    def _calibrate(self) -> None:
        self._calibration.fit()
        self._observed = 0
        believed = self._calibration.apply(list(self._raw.values()))
        self._believed = dict(zip(self._raw, believed, strict=True))
        self._choice = None

    def _event(self, target: Target, value: str, source: str) -> LabelEvent:
        image_id, position = target
        if position is not None or image_id not in self._row_of:
            raise UsageError("There is no such captcha; nothing was saved.")
        text = unicodedata.normalize("NFC", value)
        text = self.alphabet.fold(text) if self.folded else text
        if len(text) > MOST_CHARACTERS:
            raise UsageError(
                f"A text of {len(text)} characters: {MOST_CHARACTERS} are the most; nothing was saved."
            )
        if bad := [c for c in text if not c.isprintable() or c.isspace()]:
            raise UsageError(f"{bad[0]!r} can't be part of a captcha's text; nothing was saved.")
        return LabelEvent(image_id, None, text, source)

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
            self._follow()
            events = [LabelEvent(k, None, self._readings[k].text, "batch") for k in self._waiting_readings()]
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

    # Following the log

    def _follow(self) -> TextChoice:
        """Take the labels from the log where they changed; the ranking of what waits."""
        revision = self.log.revision
        if revision != self._revision or self._choice is None:
            self._revision = revision
            current = self.log.text_labels()
            self._labels = {k: current[k] for k in self.images if k in current}
            self._audits = {
                target: right
                for target, right in audits_in(self.log.events("audit")).items()
                if target[1] is None
            }
            self._settled = {e.image_id for _, e in self.log.events("suspects") if e.position is None}
            source = self._source() if self._source is not None else self._believed
            self._readings = {k: source[k] for k in self.images if k in source}
            self._choice = TextChoice(
                [k for k in self.images if k not in self._labels],
                self._readings,
                [label.value for label in self._labels.values()],
                self.config,
                self.proposer is not None and self._source is None and self.proposer.learns,
            )
        return self._choice

    def best_labels(self) -> list[str]:
        """The text of every captcha in the order of `images`; its proposal where it has none, else ""."""
        texts = self.texts()
        return [texts.get(k, "") for k in self.images]

    def due(self, keystrokes: int) -> bool:
        """Whether the reader should learn again after so many keys since the last time."""
        with self._lock:
            self._follow()
            return self._stale()

    def _stale(self) -> bool:
        if self.proposer is None or self._source is not None:
            return False
        grown = len(self._labels) - self._trained_with
        due = max(self.config.retrain_after, RETRAIN_GROWTH * self._trained_with)
        return self.proposer.learns and len(self._labels) >= FEWEST and grown >= due

    def retrain(self, progress: Progress = lambda done, total: None) -> None:
        """Train the reader on the labels so far and read all captchas; other methods go on meanwhile."""
        proposer = self.proposer
        if proposer is None:
            return
        with self._training:
            with self._lock:
                self._follow()
                labelled = len(self._labels)
                texts = {k: label.value for k, label in self._labels.items() if label.value}
            readings = proposer.propose(self.images, texts, progress)
            with self._lock:
                self._raw, self._trained_with = readings, labelled
                self._calibration.new_reader()
                self._calibrate()
                self._follow()
                by_hand = sum(label.source == "human" for label in self._labels.values())
                estimate = text_estimate(self.images, self._labels, self._readings)
                if estimate.trials:
                    self._history = [p for p in self._history if p.labels < by_hand]
                    self._history.append(CurvePoint(by_hand, estimate.value))

    def check(self) -> None:
        """Read the labelled captchas by readers that did not learn their labels, where labels have become many more."""
        if self.proposer is None:
            return
        with self._lock:
            self._follow()
            texts = {k: label.value for k, label in self._labels.items() if label.value}
        if len(texts) < max(2 * FEWEST, CHECK_GROWTH * self._checked):
            return
        crossed = self.proposer.cross_read(self.images, texts)
        with self._lock:
            self._crossed, self._checked = crossed, len(texts)
