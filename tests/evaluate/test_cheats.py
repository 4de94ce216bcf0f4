"""Planted cheats: each must lose on the measure made for it, and fresh reals must sit on the baseline."""

import math
from typing import Any

import cv2
import numpy as np
import pytest

from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.core import Evaluator
from captcha_lab.evaluate.real import RealData
from captcha_lab.recognise.classifier import Classifier
from tests.evaluate.drawn_world import CLASSES, draw_glyphs


def honest(labels: Any, count: Any, seed: Any) -> Any:
    return draw_glyphs(labels, seed)


def perfect_picture(label: int) -> np.ndarray:
    return np.asarray(draw_glyphs([label], 12345 + label)[0])


CHEATS = {
    "reals": honest,
    "mode collapse": lambda labels, count, seed: np.repeat(perfect_picture(0)[None], count, axis=0),
    "noise": lambda labels, count, seed: np.random.default_rng(seed).integers(
        0, 256, (count, 20, 20), dtype=np.uint8
    ),
    "class swap": lambda labels, count, seed: draw_glyphs((np.asarray(labels) + 1) % len(CLASSES), seed),
    "half missing": lambda labels, count, seed: draw_glyphs(np.asarray(labels) % 3, seed),
    "blurred reals": lambda labels, count, seed: np.stack(
        [cv2.GaussianBlur(image, (0, 0), 1.2) for image in draw_glyphs(labels, seed)]
    ),
    "speckled reals": lambda labels, count, seed: np.clip(
        draw_glyphs(labels, seed) + np.random.default_rng(seed).normal(0, 25, (count, 20, 20)), 0, 255
    ).astype(np.uint8),
}


@pytest.fixture(scope="module")
def results(evaluator: Evaluator, real: RealData, recogniser: Classifier) -> Any:
    def copies(labels: Any, count: Any, seed: Any) -> Any:
        rng = np.random.default_rng(seed)
        rows = [rng.choice(np.flatnonzero(real.train_conditions == k)) for k in labels]
        return real.train[rows]

    # The picture of each class that the recogniser is surest of.
    many = [draw_glyphs([k] * 30, 500 + k) for k in range(len(CLASSES))]
    surest = np.stack([m[recogniser.probabilities(m)[:, k].argmax()] for k, m in enumerate(many)])
    cheats = CHEATS | {"copies": copies, "one per class": lambda labels, count, seed: surest[labels]}
    evaluation = evaluator.run([Candidate(name, sampler, labelled=True) for name, sampler in cheats.items()])
    return {result.name: result for result in evaluation.results}


def figure(results: Any, name: Any, key: Any) -> Any:
    return results[name].figures[key].value


def test_reals_sit_on_the_baseline(results: Any) -> None:
    reals = results["reals"]
    assert reals.verdict.faults == ()
    for key, base in reals.baseline.items():
        assert reals.figures[key].value == pytest.approx(base.value, rel=0.35, abs=0.12), key
    assert reals.figures["gan_test"].value > 0.9
    assert reals.figures["gan_train"].value > 0.85


def test_reals_win_the_leaderboard(results: Any) -> None:
    assert next(iter(results)) == "reals"


def test_mode_collapse_loses_on_diversity(results: Any) -> None:
    assert results["mode collapse"].verdict.faults[0] == "collapsed"
    assert figure(results, "mode collapse", "recall") < 0.05
    assert figure(results, "mode collapse", "classes_reached") == pytest.approx(1 / 6)
    assert figure(results, "mode collapse", "distinct") == pytest.approx(1 / 240)
    assert figure(results, "mode collapse", "class_variation") > 0.7


def test_one_picture_per_class_reads_well_and_still_loses(results: Any) -> None:
    result = results["one per class"]
    assert figure(results, "one per class", "gan_test") >= 0.99  # what it cheats with
    assert "collapsed" in result.verdict.faults
    assert "collapsed" in result.verdict.sentence
    assert figure(results, "one per class", "variance") < 1e-9
    assert figure(results, "one per class", "gan_train") < figure(results, "reals", "gan_train") - 0.1
    assert list(results).index("one per class") > list(results).index("reals")


def test_copies_of_the_training_set_are_counted(results: Any) -> None:
    result = results["copies"]
    assert "copies" in result.verdict.faults
    assert result.verdict.disqualified
    assert figure(results, "copies", "exact_copies") == 1.0
    assert figure(results, "copies", "near_copies") == 1.0
    assert figure(results, "copies", "neighbour") == 0.0
    assert result.neighbours.distance.max() == 0.0


def test_noise_loses_on_precision(results: Any) -> None:
    assert "noise" in results["noise"].verdict.faults
    assert figure(results, "noise", "precision") < 0.1
    assert figure(results, "noise", "gan_test") < 0.4
    assert figure(results, "noise", "neighbour") > 2


def test_class_swap_loses_on_the_gan_test_alone(results: Any) -> None:
    assert results["class swap"].verdict.faults == ("wrong class",)
    assert figure(results, "class swap", "gan_test") < 0.1
    assert figure(results, "class swap", "gan_test_judge") < 0.1
    assert figure(results, "class swap", "gan_train") < 0.1
    assert figure(results, "class swap", "precision") > 0.8


def test_missing_classes_are_noticed(results: Any) -> None:
    assert "classes missing" in results["half missing"].verdict.faults
    assert figure(results, "half missing", "classes_reached") == pytest.approx(0.5)
    assert figure(results, "half missing", "recall") < 0.7 * figure(results, "reals", "recall")
    assert [share.value > 0.8 for share in results["half missing"].per_class] == [True] * 3 + [False] * 3


def test_blur_and_speckle_are_told_apart(results: Any) -> None:
    assert "blurred" in results["blurred reals"].verdict.faults
    assert figure(results, "blurred reals", "roughness") < 0.7
    assert "speckled" in results["speckled reals"].verdict.faults
    assert figure(results, "speckled reals", "neighbour") > 1.3


@pytest.mark.parametrize("cheat", [*sorted(set(CHEATS) - {"reals"}), "copies", "one per class"])
def test_every_cheat_loses_to_reals_on_the_distances_too(results: Any, cheat: Any) -> None:
    keys = ("frechet", "kernel", "sliced", "frechet_judge")
    worse = [figure(results, cheat, key) > figure(results, "reals", key) for key in keys]
    # Copies and swapped classes are right in distribution: only their own measures find them.
    assert all(worse) or cheat in ("copies", "class swap")


def test_the_same_seed_gives_the_same_figures(results: Any, evaluator: Evaluator) -> None:
    again = evaluator.measure(Candidate("one more", CHEATS["class swap"], labelled=True))
    first, second = again, results["class swap"]
    assert first.figures == second.figures


def test_unlabelled_candidate_is_measured_by_its_histogram(evaluator: Evaluator) -> None:
    rng = np.random.default_rng(3)

    def lopsided(labels: Any, count: Any, seed: Any) -> Any:
        assert labels is None
        return draw_glyphs(rng.choice([0, 1, 1, 1], count), seed)

    result = evaluator.measure(Candidate("lopsided", lopsided))
    assert not {"gan_test", "gan_train"} & set(result.figures)
    assert result.figures["class_variation"].value > 0.5
    assert "classes missing" in result.verdict.faults
    assert not math.isnan(result.figures["variance"].value)
