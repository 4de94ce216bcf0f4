"""What follows from an answer: the label events of one act."""

from __future__ import annotations

import numpy as np

from captcha_lab.label.proposals.propose import UNLABELLED
from captcha_lab.label.proposals.slips import posterior
from captcha_lab.label.questions.state import State
from captcha_lab.label.questions.types import Answer, LabelConfig, Mark
from captcha_lab.store.catalog.labels import LabelEvent

SETTLED = 0.9  # chance from which a key is taken for the slip that another shows it to be


def events_of(state: State, config: LabelConfig, answer: Answer) -> tuple[list[LabelEvent], int]:
    """The events an answer means, and how many of them mend an earlier slip.

    An audit's act also holds the label it tested, before the person's, so that the log alone tells how the audit
    went.
    """
    typed = [LabelEvent(*mark, source="human") for mark in answer.typed]
    if answer.queue == "audit":
        return tested(state, answer) + typed, 0
    spread = followers(state, config, answer)
    mended = settle(state, config, answer)
    return [*typed, *(LabelEvent(*mark, source="batch") for mark in (*spread, *mended))], len(mended)


def followers(state: State, config: LabelConfig, answer: Answer) -> list[Mark]:
    """Labels that follow along, without those that would follow a key against a sure proposal."""
    doubtful = set()
    for image_id, position, value in answer.typed:
        row = state.row_of.get((image_id, position))
        if row is None or not value or not state.fitted:
            continue
        best = int(state.probabilities[row].argmax())
        if state.probabilities[row, best] >= config.sure and value != state.character(best):
            doubtful.add((int(state.look.shape_of[row]), value))
    if not doubtful:
        return list(answer.spread)
    rows = [state.row_of.get((image_id, position)) for image_id, position, _ in answer.spread]
    return [
        mark
        for row, mark in zip(rows, answer.spread, strict=True)
        if row is None or (int(state.look.shape_of[row]), mark[2]) not in doubtful
    ]


def settle(state: State, config: LabelConfig, answer: Answer) -> list[Mark]:
    """Labels to mend because this answer shows that an earlier key on the same shape was a slip.

    The labels that followed that key, and the glyph it was pressed for, take the value typed now, once the keys
    together make it so likely (see `slips`).
    """
    keys, mended = state.keys, []
    given = {mark[:2] for mark in (*answer.typed, *answer.spread)}
    for image_id, position, value in answer.typed:
        row = state.row_of.get((image_id, position))
        if row is None or not value:
            continue
        shape, typed = int(state.look.shape_of[row]), state.alphabet.index(value)
        found = np.flatnonzero(keys.shapes == shape)
        if len(found) == 0:
            continue
        k = int(found[0])
        votes = keys.votes[k].copy()
        if state.sources[row] == "human" and 0 <= state.labels[row] < state.bad:
            votes[state.labels[row]] -= 1
        votes[typed] += 1
        odds = posterior(keys.prior[k : k + 1], votes[None], config.slip)[0]
        if typed == keys.believed[k] or odds[typed] < SETTLED:
            continue
        rows = state.rows_of_shape[shape]
        near = state.look.closeness[rows] >= config.look_alike
        lost = (state.labels[rows] == keys.believed[k]) & np.isin(state.sources[rows], ("human", "batch"))
        places = [state.places[mate] for mate in rows[near & lost].tolist()]
        mended += [(*place, value) for place in places if place not in given]
    return mended


def tested(state: State, answer: Answer) -> list[LabelEvent]:
    """The labels an audit's answer puts to the test, as events."""
    events = []
    for image_id, position, _ in answer.typed:
        row = state.row_of.get((image_id, position))
        if row is not None and state.labels[row] != UNLABELLED:
            value = state.character(int(state.labels[row]))
            events.append(LabelEvent(image_id, position, value, str(state.sources[row])))
    return events


def proposals_of(state: State) -> list[LabelEvent]:
    """Every waiting proposal as a label."""
    best = state.best()
    marks: list[Mark] = [
        (*state.places[row], state.character(int(best[row]))) for row in state.waiting().tolist()
    ]
    return [LabelEvent(*mark, source="batch") for mark in marks]
