"""Shapes, suspects beside cleanlab, and the audit's interval."""

import numpy as np
import pytest

from captcha_lab.label.proposals.lookalikes import find_look_alikes
from captcha_lab.label.proposals.propose import class_counts, propose, seed_order, vote
from captcha_lab.label.proposals.shapes import centred, corner_shapes, ink_masks
from captcha_lab.label.proposals.suspects import find_suspects, rank_labels
from captcha_lab.label.questions.advice import labels_to_go
from captcha_lab.label.questions.audit import audit_estimate, audit_order
from captcha_lab.label.questions.types import CurvePoint


def bar(top: int, left: int, grey: int = 20, upright: bool = True) -> np.ndarray:
    glyph = np.full((20, 20), 255, np.uint8)
    height, width = (12, 3) if upright else (3, 12)
    glyph[top : top + height, left : left + width] = grey
    return glyph


def test_place_grey_and_fragments_don_t_make_another_shape() -> None:
    fragment = bar(3, 9)
    fragment[4:9, 0] = 30  # a neighbour's overrunning stroke
    glyphs = np.stack([bar(2, 5), bar(5, 9, grey=90), fragment, bar(8, 4, upright=False)])
    look = find_look_alikes(glyphs)
    assert look.shape_of[0] == look.shape_of[1] == look.shape_of[2] != look.shape_of[3]
    assert sorted(look.size) == [1, 3]
    assert look.exact


def test_a_frame_is_taken_off_and_common_strokes_are_not() -> None:
    random = np.random.default_rng(0)
    glyphs = np.full((80, 20, 20), 255, np.uint8)
    glyphs[:, 0, :] = 10
    for glyph in glyphs:
        left = random.integers(4, 12)
        glyph[5:15, left : left + 3] = 10
    glyphs[:, 9:11, 8:11] = 10
    masks = ink_masks(glyphs)
    assert not masks[:, 0].any()
    assert masks[:, 9, 9].all()


def test_empty_glyphs_have_empty_shapes() -> None:
    masks = ink_masks(np.full((2, 20, 20), 255, np.uint8))
    assert not masks.any()
    assert not corner_shapes(masks).any()
    assert not centred(masks).any()
    assert find_look_alikes(np.full((2, 20, 20), 255, np.uint8)).size.tolist() == [2]


def test_likeness_forgives_a_turn_but_not_another_shape() -> None:
    from scipy.ndimage import rotate

    letter = np.full((20, 20), 255, np.uint8)
    letter[3:17, 5:8] = 0
    letter[14:17, 5:15] = 0
    ring = np.full((20, 20), 255, np.uint8)
    ring[4:16, 4:16] = 0
    ring[7:13, 7:13] = 255
    turned = rotate(letter, 18, reshape=False, order=1, cval=255)
    look = find_look_alikes(np.stack([letter, turned, ring]))
    a, b, c = look.shape_of
    assert look.likeness[a, b] > 0.95 > look.likeness[a, c]
    assert np.allclose(look.likeness, look.likeness.T)


def test_proposals_follow_the_likest_label_and_seeds_cover_first() -> None:
    glyphs = np.stack([bar(3, k) for k in (2, 5, 9)] + [bar(4, 3, upright=False)])
    look = find_look_alikes(glyphs)
    labels = np.array([0, -1, -1, 1])
    chances = propose(look, class_counts(look, labels, 2))
    assert chances.sum(axis=1) == pytest.approx(1)
    assert chances[look.shape_of].argmax(axis=1).tolist() == [0, 0, 0, 1]
    first, gain = seed_order(look, np.zeros(2, bool), 1)[0]
    assert first == look.shape_of[0]
    assert gain == pytest.approx(3)
    unknown = propose(look, np.zeros((2, 4)))
    assert np.allclose(unknown, 0.25)


def test_a_vote_never_counts_the_glyph_s_own_label() -> None:
    look = find_look_alikes(np.stack([bar(3, k) for k in (2, 5, 9)]))
    said = vote(look, np.array([1, 0, 0]), 2, np.arange(3))
    assert said[0].tolist() == [1.0, 0.0]
    assert said[1, 1] > 0


def noisy_predictions(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 6, 2000)
    chances = random.dirichlet(np.full(6, 0.3), 2000) * 0.6
    chances[np.arange(2000), truth] += 0.4 + 0.2 * random.random(2000)
    chances /= chances.sum(axis=1, keepdims=True)
    flipped = random.random(2000) < 0.03
    labels = np.where(flipped, (truth + random.integers(1, 6, 2000)) % 6, truth)
    return chances, labels, flipped


def test_tier_one_is_cleanlab_s_confident_learning() -> None:
    cleanlab_filter = pytest.importorskip("cleanlab.filter")
    chances, labels, flipped = noisy_predictions(0)
    found = find_suspects(chances, labels)
    theirs = cleanlab_filter.find_label_issues(labels, chances, filter_by="confident_learning", n_jobs=1)
    ours = np.zeros(len(labels), bool)
    ours[found.rows[found.tier == 1]] = True
    assert (ours & theirs).sum() >= 0.97 * max(ours.sum(), theirs.sum())
    assert flipped[found.rows].sum() >= 0.95 * flipped.sum()


def test_suspects_are_ordered_worst_first_within_tiers() -> None:
    found = find_suspects(*noisy_predictions(1)[:2])
    assert found.tier.tolist() == sorted(found.tier.tolist())
    none = find_suspects(np.eye(3), np.arange(3))
    assert len(none.rows) == 0


def test_every_label_is_ranked_by_suspicion_disputed_or_not() -> None:
    chances, labels, _ = noisy_predictions(2)
    found, ranked = find_suspects(chances, labels), rank_labels(chances, labels)
    assert sorted(ranked.rows.tolist()) == list(range(len(labels)))
    assert ranked.rows[: len(found.rows)].tolist() == found.rows.tolist()
    rest = ranked.rows[len(found.rows) :]
    assert set(ranked.tier[len(found.rows) :].tolist()) == {0}
    lead = chances[rest, labels[rest]] - chances[rest, ranked.proposed[len(found.rows) :]]
    assert (np.diff(lead) >= 0).all()
    assert (ranked.proposed != labels[ranked.rows]).all()


@pytest.mark.parametrize(("wrong", "sample"), [(50, 200), (5, 200), (50, 60), (0, 100), (500, 100)])
def test_the_audit_s_interval_covers_the_truth(wrong: int, sample: int) -> None:
    population, audits = 5000, 1000
    draws = np.random.default_rng(wrong).hypergeometric(wrong, population - wrong, sample, audits)
    known = {int(bad): audit_estimate(int(bad), sample, population) for bad in np.unique(draws)}
    covered = sum(known[int(bad)].low <= 1 - wrong / population <= known[int(bad)].high for bad in draws)
    assert covered >= 930


def test_a_whole_audit_is_certain_and_none_says_nothing() -> None:
    whole = audit_estimate(3, 300, 300)
    assert (whole.low, whole.value, whole.high) == pytest.approx((0.99, 0.99, 0.99))
    assert audit_estimate(0, 0, 300).source == "none"
    assert sorted(audit_order(50, 1)) == list(range(50))
    assert audit_order(50, 1).tolist() == audit_order(50, 1).tolist() != audit_order(50, 2).tolist()


def test_labels_to_go_follow_the_curve_s_present_slope() -> None:
    def curve(*errors: float) -> list[CurvePoint]:
        return [CurvePoint(10 * 2**k, 1 - error) for k, error in enumerate(errors)]

    # Ten times fewer errors for twice the labels: from 1 % to 0.1 % at 80 takes as many again.
    assert labels_to_go(curve(0.9, 0.1, 0.01), 0.99, 0.999) == pytest.approx(40, rel=0.1)
    assert labels_to_go(curve(0.9, 0.9, 0.1, 0.01), 0.99, 0.999) == pytest.approx(
        80, rel=0.1
    )  # the start is past
    assert labels_to_go(curve(0.9, 0.1, 0.0005), 0.9995, 0.999) == 0
    assert labels_to_go(curve(0.5, 0.5, 0.5), 0.5, 0.999) is None  # it does not fall
    assert labels_to_go(curve(0.5, 0.45, 0.4), 0.6, 0.999) is None  # too slowly to tell
    assert labels_to_go(curve(0.5), 0.5, 0.999) is None
