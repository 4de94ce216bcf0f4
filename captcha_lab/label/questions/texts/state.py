"""What the text engine knows: labels, proposals and how far they are to be believed; no questions, no answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from captcha_lab.label.questions.audit import audits_in
from captcha_lab.label.questions.protocol import Readings
from captcha_lab.label.questions.texts.calibration import Calibration
from captcha_lab.label.questions.texts.choice import TextChoice
from captcha_lab.label.questions.texts.figures import disputes, text_estimate
from captcha_lab.label.questions.texts.proposer import FEWEST, TextProposer
from captcha_lab.label.questions.types import CurvePoint, LabelConfig, Member, Target
from captcha_lab.store.catalog.labels import Label, LabelEvent, LabelLog

DISPUTED_FROM = 0.9  # confidence from which another reading makes a label a suspect
OBSERVED = 4  # answers after which confidences are calibrated again
RETRAIN_GROWTH = 0.3  # share by which labels must have grown before the reader learns again
CHECK_GROWTH = 1.25  # labels since the last out-of-fold reading from which it is done again


class TextState:
    """Labels of whole captchas as the log has them, and proposals; the caller sees to it that one thread is in it.

    Args:
        images: ids of the captchas, in the order they came.
        log: the labels.
        config: see `LabelConfig`.

    Attributes:
        images: the captchas in use.
        proposer: reads captchas and learns from labels; None while there is none.
        revision: of the log that is known here.
        labels: of captchas in use.
        readings: the proposals for captchas in use.
        audits: audited captchas and whether their label was right.
        history: how many labels were given by hand, and the share of right texts expected, at each training.
    """

    def __init__(self, images: Sequence[int], log: LabelLog, config: LabelConfig) -> None:
        self.log, self.config = log, config
        self.images = self._all = tuple(images)
        self.row_of = {k: row for row, k in enumerate(self._all)}
        self.proposer: TextProposer | None = None
        self.revision = -1
        self.labels: dict[int, Label] = {}
        self.readings: Readings = {}
        self.crossed: Readings = {}
        self.audits: dict[Target, bool] = {}
        self.history: list[CurvePoint] = []
        self._source: Callable[[], Readings] | None = None
        self._raw: Readings = {}  # as the reader gave them
        self._believed: Readings = {}  # as the answers so far suggest to believe them
        self._calibration, self._observed = Calibration(), 0
        self._trained_with: int | None = None  # labels; None before the reader has learned anything
        self._checked_with = 0  # labels
        self._settled: set[int] = set()
        self._choice: TextChoice | None = None

    # Where proposals come from

    def follow(self, source: Callable[[], Readings]) -> None:
        """Take the proposals from here whenever labels change, instead of from a trained reader."""
        self._source, self._choice = source, None

    def trained_with(self, labelled: int) -> None:
        """The reader has learned from so many labels, or from captchas alone."""
        self._trained_with = labelled

    def take(self, readings: Readings) -> None:
        """A reader has read captchas anew."""
        self._raw = readings
        self._calibration.new_reader()
        self.calibrate()
        self.choice()
        estimate = text_estimate(self.images, self.labels, self.readings)
        if estimate.trials:
            by_hand = self.by_hand()
            self.history = [p for p in self.history if p.labels < by_hand]
            self.history.append(CurvePoint(by_hand, estimate.value))

    def take_crossed(self, readings: Readings) -> None:
        """Labelled captchas were read by readers that did not learn their labels."""
        self.crossed, self._checked_with = readings, len(self.known())

    def observe(self, events: Sequence[LabelEvent]) -> None:
        """Learn from an answer how far the proposals are to be believed."""
        for event in events:
            reading = self._raw.get(event.image_id)
            if reading is not None and event.value and event.image_id not in self.labels:
                self._calibration.observe(reading.confidence, right=reading.text == event.value)
                self._observed += 1
        if self._observed >= OBSERVED:
            self.calibrate()

    def calibrate(self) -> None:
        """Work the confidences out again."""
        self._calibration.fit()
        self._observed = 0
        believed = self._calibration.apply(list(self._raw.values()))
        self._believed = dict(zip(self._raw, believed, strict=True))
        self._choice = None

    # What follows from the log

    def refresh(self) -> None:
        """The proposals may have changed without a label."""
        self._choice = None

    def set_aside(self, image_ids: Collection[int]) -> None:
        """Leave these captchas out, and no others."""
        self.images = tuple(k for k in self._all if k not in image_ids)
        self._choice = None

    def choice(self) -> TextChoice:
        """The ranking of what waits, after taking the labels from the log where they changed."""
        revision = self.log.revision
        if revision != self.revision or self._choice is None:
            self.revision = revision
            current = self.log.text_labels()
            self.labels = {k: current[k] for k in self.images if k in current}
            audits = audits_in(self.log.events("audit"))
            self.audits = {target: right for target, right in audits.items() if target[1] is None}
            self._settled = {e.image_id for _, e in self.log.events("suspects") if e.position is None}
            source = self._believed if self._source is None else self._source()
            self.readings = {k: source[k] for k in self.images if k in source}
            self._choice = TextChoice(
                [k for k in self.images if k not in self.labels],
                self.readings,
                [label.value for label in self.labels.values()],
                self.config,
                self._source is None and self.proposer is not None and self.proposer.learns,
            )
        return self._choice

    def known(self) -> dict[int, str]:
        """The labels a reader may learn from: those of captchas that somebody can read."""
        self.choice()
        return {k: label.value for k, label in self.labels.items() if label.value}

    def by_hand(self) -> int:
        """How many labels a person gave looking at that very captcha."""
        return sum(label.source == "human" for label in self.labels.values())

    def waiting(self) -> dict[int, float]:
        """Captchas without a label that have a proposal, and its confidence."""
        return {k: r.confidence for k, r in self.readings.items() if r.text and k not in self.labels}

    def disputed(self) -> list[tuple[int, str, float]]:
        """(image id, what it is read as, confidence) of disputes that still stand."""
        self.choice()
        found = disputes(self.labels, self.crossed, DISPUTED_FROM)
        return [(k, reading.text, reading.confidence) for k, reading in found if k not in self._settled]

    @property
    def reads(self) -> bool:
        """Whether proposals come from a reader of whole captchas."""
        return self._source is None and self.proposer is not None

    def stale(self) -> bool:
        """Whether the reader should learn: it has not yet, or labels have become so many more."""
        if self._source is not None or self.proposer is None or not self.proposer.learns:
            return False
        if self._trained_with is None:
            return True
        due = max(self.config.retrain_after, RETRAIN_GROWTH * self._trained_with)
        return len(self.labels) >= FEWEST and len(self.labels) - self._trained_with >= due

    def unchecked(self) -> bool:
        """Whether labels have become so many more, or all that can be, that they should be read out of fold again."""
        if len(self.labels) == len(self.images):
            return len(self.known()) > self._checked_with
        return len(self.known()) >= max(2 * FEWEST, CHECK_GROWTH * self._checked_with)

    def member(self, image_id: int, *, hidden: bool = False) -> Member:
        """One captcha as shown; `hidden` keeps label and proposal away from the person."""
        row = self.row_of[image_id]
        if hidden:
            return Member(row, image_id, None)
        label, reading = self.labels.get(image_id), self.readings.get(image_id)
        return Member(
            row,
            image_id,
            None,
            label.value if label else None,
            label.source if label else None,
            reading.text if reading and reading.text else None,
            reading.confidence if reading else 0.0,
            reading.per_character if reading else (),
        )
