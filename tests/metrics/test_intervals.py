import math

import pytest
from scipy.stats import binomtest

from captcha_lab.errors import UsageError
from captcha_lab.metrics.intervals import share_of, spread, wilson


@pytest.mark.parametrize(("successes", "trials"), [(0, 7), (7, 7), (3, 10), (990, 1000), (1, 1)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_agrees_with_scipy(successes: int, trials: int, confidence: float) -> None:
    interval = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    share = wilson(successes, trials, confidence)
    assert share.low == pytest.approx(interval.low, abs=1e-12)
    assert share.high == pytest.approx(interval.high, abs=1e-12)
    assert share.low <= share.value <= share.high


def test_nothing_tried_says_nothing() -> None:
    share = wilson(0, 0)
    assert math.isnan(share.value)
    assert (share.low, share.high) == (0.0, 1.0)


@pytest.mark.parametrize("bad", [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 1.0)])
def test_impossible_input_is_refused(bad: tuple[float, ...]) -> None:
    with pytest.raises(UsageError):
        wilson(*bad)  # type: ignore[arg-type]


def test_share_of_flags_and_spread_of_seeds() -> None:
    assert share_of([True, False, True, True])[:1] == (0.75,)
    assert spread([1.0, 3.0]) == (2.0, math.sqrt(2), 2)
    assert spread([5.0]) == (5.0, 0.0, 1)
