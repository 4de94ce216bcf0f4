import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassCalibrationError

from captcha_lab.errors import UsageError
from captcha_lab.metrics import accuracy, calibration


def test_confusion_worked_by_hand() -> None:
    confusion = accuracy.confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 2, 1, 1]), 3)
    assert confusion.tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]
    assert [s.value for s in accuracy.per_class(confusion)] == [0.5, 1.0, 0.0]
    assert accuracy.worst_confusions(confusion) == [(0, 2, 1), (2, 1, 1)]


@pytest.mark.parametrize(("labels", "readings"), [([0, 1], [0]), ([0, 3], [0, 1]), ([-1, 0], [0, 0])])
def test_confusion_refuses_what_does_not_fit(labels: list[int], readings: list[int]) -> None:
    with pytest.raises(UsageError):
        accuracy.confusion_matrix(np.array(labels), np.array(readings), 3)


def test_a_captcha_counts_only_when_every_glyph_is_right() -> None:
    labels, readings = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 1, 2, 0, 1, 1])
    assert accuracy.glyph_accuracy(labels, readings).value == pytest.approx(5 / 6)
    share = accuracy.captcha_accuracy(labels, readings, np.array([7, 7, 7, 9, 9, 9]))
    assert (share.value, share.trials) == (0.5, 2)


def test_histograms() -> None:
    first = accuracy.class_histogram(np.array([0, 0, 1]), 3)
    assert first.tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert accuracy.total_variation(first, np.array([0.0, 0.0, 1.0])) == pytest.approx(1)
    assert accuracy.total_variation(first, first) == 0
    assert accuracy.class_histogram(np.array([], dtype=int), 3).sum() == 0


def test_calibration_agrees_with_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 6)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = rng.integers(0, 6, 500)
    peer = MulticlassCalibrationError(num_classes=6, n_bins=15, norm="l1")
    expected = float(peer(torch.tensor(probabilities), torch.tensor(labels)))
    assert calibration.class_reliability(probabilities, labels).expected_error == pytest.approx(
        expected, rel=1e-6
    )


def test_reliability_worked_by_hand() -> None:
    bins = calibration.class_reliability(
        np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]), np.array([0, 1, 1]), bins=2
    )
    assert bins.counts.tolist() == [0, 3]
    assert bins.accuracy[1] == pytest.approx(2 / 3)
    assert bins.expected_error == pytest.approx(abs(2 / 3 - (0.9 + 0.8 + 0.6) / 3))
    with pytest.raises(UsageError):
        calibration.class_reliability(np.ones((2, 1)), np.array([0]))


def test_a_captcha_labelled_in_part_is_not_read_whole() -> None:
    labels, source = np.array([1, 2, 3, 1, -1, -1]), np.array([7, 7, 7, 9, 9, 9])
    share = accuracy.captcha_accuracy(labels, np.array([1, 2, 3, 1, 5, 5]), source)
    assert (share.successes, share.trials) == (1, 1)
