"""The glyph engine: which glyph to ask next, answers to the log, proposals that follow every key.

The log is the truth: everything here can be worked out again from it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from captcha_lab.alphabet import Alphabet
from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.label.proposals.lookalikes import LookAlikes, find_look_alikes
from captcha_lab.label.proposals.network import MIN_LABELS, ProposalNetwork
from captcha_lab.label.proposals.propose import UNLABELLED
from captcha_lab.label.questions.audit import audits_in
from captcha_lab.label.questions.glyphs.consequences import events_of, proposals_of
from captcha_lab.label.questions.glyphs.panel import panel_of
from captcha_lab.label.questions.glyphs.queues import GLYPH_QUEUES, GlyphQueues
from captcha_lab.label.questions.glyphs.state import State
from captcha_lab.label.questions.protocol import Readings
from captcha_lab.label.questions.types import (
    Answer,
    LabelConfig,
    LabelPanel,
    Outcome,
    Place,
    Question,
    Queue,
)
from captcha_lab.recognise.contract import Reading
from captcha_lab.store.catalog.labels import LabelEvent, LabelLog

NOTHING_CUT = "There are no glyphs to label: run `captcha-lab segment` first."
REST = "rest"  # the act that accepts all proposals at once


class GlyphEngine:
    """Questions and answers about the glyphs of one dataset; every method may be called from any thread.

    Args:
        glyphs: uint8 [N, H, W], dark ink on light paper.
        places: N of them, where each glyph is.
        alphabet: the characters that can be labels.
        log: where answers go.
        config: see `LabelConfig`.
        look: the glyphs' shapes where they are known already.

    Raises:
        CaptchaLabError: there are no glyphs.
    """

    def __init__(
        self,
        glyphs: NDArray[np.uint8],
        places: Sequence[Place],
        alphabet: Alphabet,
        log: LabelLog,
        config: LabelConfig | None = None,
        look: LookAlikes | None = None,
    ) -> None:
        if len(glyphs) == 0 or len(glyphs) != len(places):
            raise CaptchaLabError(NOTHING_CUT)
        self.config = config or LabelConfig()
        self.log = log
        self._lock = threading.RLock()
        if look is None:
            positions = np.array([position for _, position in places])
            look = find_look_alikes(
                glyphs, positions, max_shapes=self.config.max_shapes, seed=self.config.seed
            )
        self._glyphs, self._places, self._look = glyphs, tuple(places), look
        self._training = threading.Lock()
        self._revision = self._trained_at = 0
        self._aside: frozenset[int] = frozenset()
        self.use_alphabet(alphabet)
        self.retrain()

    def set_aside(self, image_ids: Collection[int]) -> None:
        """Leave the glyphs of these captchas out, and no others."""
        with self._lock:
            self._aside = frozenset(image_ids)
            self.refresh()

    def use_alphabet(self, alphabet: Alphabet) -> None:
        """Take other characters for those that can be labels; the labels stay, proposals begin anew."""
        with self._lock:
            self._state = State(self._glyphs, self._places, alphabet, self._look, self.config.slip)
            self._trained_at = 0
            self._reader = (
                None if self._look.exact else ProposalNetwork(self._glyphs, len(alphabet), self.config.seed)
            )
            self.refresh()

    # Questions

    def queues(self) -> list[Queue]:
        """All queues with their counts and what the next key in each is worth."""
        with self._lock:
            return self._queues().overview()

    def questions(self, queue: str, count: int = 1, exclude: Collection[str] = frozenset()) -> list[Question]:
        """The next `count` questions of a queue, without those whose id is in `exclude`.

        Raises:
            UsageError: there is no such queue.
        """
        names = {name: name for name in GLYPH_QUEUES}
        if queue not in names:
            raise UsageError(f"There is no queue {queue!r}: choose one of {', '.join(GLYPH_QUEUES)}.")
        with self._lock:
            return list(islice(self._queues().iterate(names[queue], exclude), count))

    def panel(self) -> LabelPanel:
        """Where the work stands and when to stop."""
        with self._lock:
            return panel_of(
                self._state,
                self.queues(),
                self._audits,
                self._by_hand,
                self.config.stop_at,
                revision=self._revision,
                keystrokes=self.log.keystrokes(),
                stale=self._changed() >= self.config.retrain_after,
            )

    def best_labels(self) -> list[str]:
        """The label of every glyph in the order of the glyph array; its proposal where it has none."""
        with self._lock:
            return [self._state.character(k) for k in self._state.best().tolist()]

    def readings(self) -> Readings:
        """What labels and proposals spell, for every captcha; its confidence is that of all its glyphs together."""
        with self._lock:
            self._follow()
            state = self._state
            best = state.best()
            sure = np.where(state.labels == UNLABELLED, state.probabilities.max(axis=1), 1.0)
            if not state.fitted:
                return {}
            found: dict[int, list[tuple[int, str, float]]] = {}
            for (image_id, position), k, share in zip(
                state.places, best.tolist(), sure.tolist(), strict=True
            ):
                found.setdefault(image_id, []).append((position, state.character(k), share))
            return {k: _spelled(sorted(parts)) for k, parts in found.items()}

    # Answers

    def answer(self, answer: Answer) -> Outcome:
        """Save an answer: it is durable when this returns.

        A key that contradicts a sure proposal labels that glyph only: its look-alikes are asked again rather than
        follow what may be a slip. A key that shows an earlier one to be a slip mends what followed that one.

        Raises:
            UsageError: a label is outside the alphabet, or there is no such glyph.
            StaleRevisionError: the labels changed since the question was made; nothing was saved.
            CaptchaLabError: the disk refuses.
        """
        with self._lock:
            self._follow()
            events, settled = events_of(self._state, self.config, answer)
            outcome = self._record(
                answer.question.queue,
                events,
                answer.session,
                answer.keystrokes,
                answer.token,
                answer.expected_revision,
            )
            return replace(outcome, settled=settled)

    def _record(
        self,
        queue: str,
        events: Sequence[LabelEvent],
        session: str,
        keystrokes: int,
        token: str | None,
        expected_revision: int | None,
    ) -> Outcome:
        """Save events as one act and follow it here, unless its token says that this was done before."""
        before = self._revision
        act = self.log.record(
            queue,
            events,
            session=session,
            keystrokes=keystrokes,
            token=token,
            expected_revision=expected_revision,
        )
        self._revision = self.log.revision
        if act > before:
            self._apply(queue, events)
        return Outcome(act, self._revision, tuple(place for event in events for place in event.places))

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
            events = proposals_of(self._state)
            if not events and (token is None or self.log.act_named(token) is None):
                return None
            return self._record(REST, events, session, keystrokes, token, expected_revision)

    # Following the log

    def refresh(self) -> None:
        """The labels changed otherwise (an undo, another program): take them from the log."""
        with self._lock:
            self._revision = self.log.revision
            current = self.log.current()
            self._state.load(current, self._aside)
            human = [(label.act_id, place) for place, label in current.items() if label.source == "human"]
            rows = self._state.row_of
            self._by_hand = [rows[place] for _, place in sorted(human) if place in rows]
            self._settled = {place for _, e in self.log.events("suspects") for place in e.places}
            self._audits = audits_in(self.log.events("audit"))
            self._state.repropose()

    def retrain(self) -> None:
        """Work out proposals and suspects again; slow parts run without holding up the other methods."""
        with self._training:
            with self._lock:
                self._follow()
                state = self._state
                targets, weights = state.targets()
                revision, enough = self._revision, int((state.labels >= 0).sum()) >= MIN_LABELS
            read = self._reader.train(targets, weights) if self._reader is not None and enough else None
            with self._lock:
                state.reading = read
                state.repropose()
                state.dispute()
                self._trained_at = revision

    def due(self, keystrokes: int) -> bool:
        """Whether proposals should be worked out again after so many keys since the last time."""
        return keystrokes >= self.config.retrain_after

    def _changed(self) -> int:
        return self._revision - self._trained_at

    def _follow(self) -> None:
        if self.log.revision != self._revision:
            self.refresh()

    def _queues(self) -> GlyphQueues:
        self._follow()
        return GlyphQueues(self._state, self.config, self._revision, self._settled, set(self._audits))

    def _apply(self, queue: str, events: Sequence[LabelEvent]) -> None:
        """Take an act's labels over without reading the whole log."""
        for event in events:
            for place in event.places:
                self._state.mark(place, event.value, event.source)
        hand = [place for e in events if e.source == "human" for place in e.places]
        rows = [self._state.row_of[place] for place in hand if place in self._state.row_of]
        self._by_hand = [row for row in self._by_hand if row not in rows] + rows
        if queue == "suspects":
            self._settled |= set(hand)
        if queue == "audit":
            self._audits = audits_in(self.log.events("audit"))
        self._state.repropose()


def _spelled(parts: Sequence[tuple[int, str, float]]) -> Reading:
    """The reading that glyphs (position, character, probability) in order make; what is no glyph is left out."""
    shown = [(character, share) for _, character, share in parts if character]
    return Reading(
        "".join(character for character, _ in shown),
        float(np.prod([share for *_, share in parts])),
        tuple(share for _, share in shown),
    )
