"""All questions about a dataset: glyphs where its captchas can be cut, whole captchas always."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.label.questions.advice import ASKING
from captcha_lab.label.questions.protocol import QuestionEngine, Readings
from captcha_lab.label.questions.texts.engine import TEXT_QUEUES, TextEngine
from captcha_lab.label.questions.types import (
    BEST,
    QUEUE_NAMES,
    Answer,
    LabelPanel,
    Outcome,
    Question,
    Queue,
    Target,
)

CASE, FOLDED, KEPT = "case", "folded", "kept"  # in the catalog's settings


class NotReadyError(CaptchaLabError):
    """An answer about a glyph came before the glyphs were compared: it may be sent again."""


class GlyphQuestions(QuestionEngine, Protocol):
    """A question engine that also reads whole captchas."""

    def readings(self) -> Readings:
        """What its labels and proposals spell, for every captcha."""

    def set_aside(self, image_ids: Collection[int]) -> None:
        """Leave the glyphs of these captchas out, and no others."""

    def use_alphabet(self, alphabet: Alphabet) -> None:
        """Take other characters for those that can be labels."""


class MixedEngine:
    """Asks about glyphs and whole captchas; every method may be called from any thread.

    Args:
        texts: asks about whole captchas; there from the start.

    Attributes:
        why: which kind of question is used, and why; one sentence, empty while that is not known.
    """

    def __init__(self, texts: TextEngine) -> None:
        self.texts = texts
        texts.folded = texts.log.catalog.get_meta(CASE) != KEPT
        self.why = ""
        self._aside: set[int] = set()
        self._glyphs: GlyphQuestions | None = None

    def use_glyphs(self, glyphs: GlyphQuestions) -> None:
        """Ask about glyphs too: what they spell is proposed for whole captchas."""
        glyphs.set_aside(self._aside)
        self.texts.follow(glyphs.readings)
        self._glyphs = glyphs

    @property
    def alphabet(self) -> Alphabet:
        """The characters that a glyph can be."""
        return self.texts.alphabet

    def add_character(self, character: str) -> None:
        """Take a character into the dataset's alphabet, for good.

        Raises:
            UsageError: it can't be part of a label.
        """
        if character in self.alphabet:
            return
        alphabet = Alphabet(self.alphabet.characters + character)
        if self._glyphs is not None:
            self._glyphs.use_alphabet(alphabet)
        self.texts.alphabet = alphabet
        self.texts.log.catalog.set_meta("alphabet", alphabet.characters)

    def set_case(self, *, folded: bool) -> None:
        """Whether letters take the alphabet's case or are saved as they are typed; kept with the dataset."""
        self.texts.folded = folded
        self.texts.log.catalog.set_meta(CASE, FOLDED if folded else KEPT)

    def set_aside(self, image_id: int, *, aside: bool) -> None:
        """Ask no more about a captcha, or ask again."""
        self._aside = self._aside | {image_id} if aside else self._aside - {image_id}
        self.texts.set_aside(self._aside)
        if self._glyphs is not None:
            self._glyphs.set_aside(self._aside)

    @property
    def asks_glyphs(self) -> bool:
        """Whether glyphs are asked about."""
        return self._glyphs is not None

    @property
    def leading(self) -> QuestionEngine:
        """The engine whose labels are counted: of glyphs where they are asked about, else of captchas."""
        return self._glyphs or self.texts

    def _engine_of(self, queue: str) -> QuestionEngine:
        if queue not in QUEUE_NAMES:
            raise UsageError(f"There is no queue {queue!r}: choose one of {', '.join((BEST, *QUEUE_NAMES))}.")
        return self.texts if queue == "captcha" or self._glyphs is None else self._glyphs

    # Questions

    def queues(self) -> list[Queue]:
        """The queues with their counts and what the next key in each is worth."""
        found = {queue.name: queue for queue in self.texts.queues()}
        if self._glyphs is not None:
            found |= {queue.name: queue for queue in self._glyphs.queues()}
        return [found[name] for name in QUEUE_NAMES if name in found]

    def questions(self, queue: str, count: int = 1, exclude: Collection[str] = frozenset()) -> list[Question]:
        """The next `count` questions of a queue (or of all, see `BEST`), without those whose id is in `exclude`.

        Raises:
            UsageError: there is no such queue.
        """
        if queue == BEST:
            return self._best(count, exclude)
        engine = self._engine_of(queue)
        if engine is self.texts and queue not in TEXT_QUEUES:
            return []
        return engine.questions(queue, count, exclude)

    def _best(self, count: int, exclude: Collection[str]) -> list[Question]:
        """Questions of all queues, the one whose next key is worth most first; none asks twice for one glyph."""
        names = [queue.name for queue in self.queues() if queue.count]
        waiting = [
            question for name in names if name in ASKING for question in self.questions(name, count, exclude)
        ]
        if not waiting and "suspects" in names:
            waiting = self.questions("suspects", count, exclude)
        taken: set[Target] = set()
        chosen: list[Question] = []
        for question in sorted(waiting, key=lambda question: -question.worth):
            targets = {member.target for member in question.members}
            if taken.isdisjoint(targets) and len(chosen) < count:
                chosen.append(question)
                taken |= targets
        return chosen

    def panel(self) -> LabelPanel:
        """Where the work stands."""
        return self.leading.panel()

    # Answers

    def answer(self, answer: Answer) -> Outcome:
        """Save an answer: it is durable when this returns.

        Raises:
            UsageError: a label is impossible, or there is no such glyph or captcha.
            NotReadyError: the question is about a glyph, and the glyphs are not compared yet.
            StaleRevisionError: the labels changed since the question was made; nothing was saved.
            CaptchaLabError: the disk refuses.
        """
        if all(member.position is None for member in answer.question.members):
            return self.texts.answer(answer)
        if self._glyphs is None:
            raise NotReadyError("The glyphs are still being compared: the answer waits until that is done.")
        return self._glyphs.answer(answer)

    def accept_rest(
        self,
        *,
        session: str = "",
        keystrokes: int = 1,
        token: str | None = None,
        expected_revision: int | None = None,
    ) -> Outcome | None:
        """Make every proposal that waits a label, in one act; None where there is none (errors as in `answer`)."""
        return self.leading.accept_rest(
            session=session, keystrokes=keystrokes, token=token, expected_revision=expected_revision
        )

    def retrain(self) -> None:
        """Work out the proposals again; slow, and the other methods go on meanwhile."""
        self.leading.retrain()
        if self._glyphs is None:
            self.texts.check()
        self.texts.refresh()
