"""What follows from an answer: the label events of one act."""

from __future__ import annotations

import numpy as np

from captcha_lab.errors import UsageError
from captcha_lab.label.proposals.propose import UNLABELLED
from captcha_lab.label.proposals.slips import posterior
from captcha_lab.label.questions.glyphs.pages import followers
from captcha_lab.label.questions.glyphs.state import State
from captcha_lab.label.questions.meaning import Mark, marks_of
from captcha_lab.label.questions.types import Answer, LabelConfig, Target
from captcha_lab.store.catalog.labels import LabelEvent

SETTLED = 0.9  # chance from which a key is taken for the slip that another shows it to be


def events_of(state: State, config: LabelConfig, answer: Answer) -> tuple[list[LabelEvent], int]:
    """The events an answer means, and how many of them mend an earlier slip.

    An audit's act also holds the label it tested, before the person's, so that the log alone tells how the audit
    went.

    Raises:
        UsageError: a label is outside the alphabet, or there is no such glyph.
    """
    by_hand, spread = marks_of(answer, lambda target: _followers(state, config, answer, target))
    for target, value in (*by_hand, *spread):
        if target not in state.row_of:
            raise UsageError("There is no such glyph; nothing was saved.")
        if value:
            state.alphabet.index(value)
    typed = [_event(mark, "human") for mark in by_hand]
    if answer.question.queue == "audit":
        return tested(state, by_hand) + typed, 0
    kept = _without_doubtful(state, config, by_hand, spread)
    mended = settle(state, config, by_hand, {target for target, _ in (*by_hand, *spread)})
    return [*typed, *(_event(mark, "batch") for mark in (*kept, *mended))], len(mended)


def _event(mark: Mark, source: str) -> LabelEvent:
    (image_id, position), value = mark
    return LabelEvent(image_id, position, value, source)


def _followers(state: State, config: LabelConfig, answer: Answer, target: Target) -> list[Target]:
    """What follows along with one glyph of a question."""
    row = state.row_of.get(target)
    if row is None:
        return []
    if answer.question.kind == "cluster":
        rows = state.look_alikes(row, config.look_alike)
    else:
        rows = followers(state, config, row)
    return [state.places[mate] for mate in rows.tolist()]


def _without_doubtful(state: State, config: LabelConfig, typed: list[Mark], spread: list[Mark]) -> list[Mark]:
    """Labels that follow along, without those that would follow a key against a sure proposal."""
    doubtful = set()
    for target, value in typed:
        row = state.row_of[target]
        if not value or not state.fitted:
            continue
        best = int(state.probabilities[row].argmax())
        if state.probabilities[row, best] >= config.sure and value != state.character(best):
            doubtful.add((int(state.look.shape_of[row]), value))
    return [
        (target, value)
        for target, value in spread
        if (int(state.look.shape_of[state.row_of[target]]), value) not in doubtful
    ]


def settle(state: State, config: LabelConfig, typed: list[Mark], given: set[Target]) -> list[Mark]:
    """Labels to mend because this answer shows that an earlier key on the same shape was a slip.

    The labels that followed that key, and the glyph it was pressed for, take the value typed now, once the keys
    together make it so likely (see `slips`).
    """
    keys = state.keys
    mended: list[Mark] = []
    for target, value in typed:
        row = state.row_of[target]
        if not value:
            continue
        shape, pressed = int(state.look.shape_of[row]), state.alphabet.index(value)
        found = np.flatnonzero(keys.shapes == shape)
        if len(found) == 0:
            continue
        k = int(found[0])
        votes = keys.votes[k].copy()
        if state.sources[row] == "human" and 0 <= state.labels[row] < state.bad:
            votes[state.labels[row]] -= 1
        votes[pressed] += 1
        odds = posterior(keys.prior[k : k + 1], votes[None], config.slip)[0]
        if pressed == keys.believed[k] or odds[pressed] < SETTLED:
            continue
        rows = state.rows_of_shape[shape]
        near = state.look.closeness[rows] >= config.look_alike
        lost = (state.labels[rows] == keys.believed[k]) & np.isin(state.sources[rows], ("human", "batch"))
        places = [state.places[mate] for mate in rows[near & lost].tolist()]
        mended += [(place, value) for place in places if place not in given]
    return mended


def tested(state: State, typed: list[Mark]) -> list[LabelEvent]:
    """The labels an audit's answer puts to the test, as events."""
    rows = [(target, state.row_of[target]) for target, _ in typed]
    return [
        _event((target, state.character(int(state.labels[row]))), str(state.sources[row]))
        for target, row in rows
        if state.labels[row] != UNLABELLED
    ]


def proposals_of(state: State) -> list[LabelEvent]:
    """Every waiting proposal as a label."""
    best = state.best()
    return [
        _event((state.places[row], state.character(int(best[row]))), "batch")
        for row in state.waiting().tolist()
    ]
