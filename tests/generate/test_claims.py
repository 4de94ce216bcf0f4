"""The rules by which the thesis's claims are judged: each can hold and can fail."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.benchmarks.thesis import claim, collapse_claim, gather_claim


def weights(at_limit: float) -> dict[str, np.ndarray]:
    """Two layers of which the second has this share of its weights at +-.05, the first none."""
    inner = np.random.default_rng(0).uniform(-0.04, 0.04, 1000)
    outer = inner.copy()
    outer[: int(at_limit * 1000)] = 0.05
    return {"convolution": inner, "dense": outer}


@pytest.mark.parametrize(
    ("clipped", "penalised", "holds"), [(0.4, 0.0, True), (0.01, 0.0, False), (0.4, 0.4, False)]
)
def test_weights_gather(clipped: float, penalised: float, holds: bool) -> None:
    found = gather_claim(
        "wdcgan", "wdcgan-gp", {"wdcgan": weights(clipped), "wdcgan-gp": weights(penalised)}, 0.05, 1.0
    )
    assert found["holds"] is holds
    assert f"dense {100 * clipped:.1f} %" in found["sentence"]
    assert gather_claim("wdcgan", "wdcgan-gp", {}, 0.05, 1.0)["holds"] is None
    both = {"wdcgan": weights(clipped), "wdcgan-gp": weights(penalised)}
    assert gather_claim("wdcgan", "wdcgan-gp", both, 0.05, 0.1)["holds"] is None


def test_one_system_like_another() -> None:
    near = {"a": {"beyond_baseline": 100.0, "faults": []}, "b": {"beyond_baseline": 90.0, "faults": []}}
    assert claim("text", near, "a", "b")["holds"] is True
    far = near | {"a": {"beyond_baseline": 200.0, "faults": []}}
    assert claim("text", far, "a", "b")["holds"] is False
    neither = {name: {"beyond_baseline": 1.0, "faults": ["noise"]} for name in "ab"}
    assert claim("text", neither, "a", "b")["holds"] is None


def test_a_collapse_of_the_printed_loss_alone() -> None:
    seen = {"gan-fc-printed": {"faults": ["collapsed"]}, "wgan-fc": {"faults": []}}
    assert collapse_claim(seen)["holds"] is True
    assert collapse_claim(seen | {"wgan-fc": {"faults": ["collapsed"]}})["holds"] is False
