"""Measures are found by looking into the room, and each keeps to what it says of itself."""

import importlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from captcha_lab.metrics import samples
from captcha_lab.metrics.intervals import Share
from captcha_lab.metrics.samples.measure import GROUPS, compute, measures
from captcha_lab.metrics.samples.subjects import (
    FeatureSets,
    HeldOutTexts,
    PixelSets,
    ReadSamples,
    RealFeatures,
    RealPixels,
    SampleStream,
    TextReadings,
)

FURTHER = '''"""Brightness: are samples as bright as real images?"""

from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.metrics.samples.subjects import PixelSets

MEASURES = (
    Measure("brightness", "Brightness", "Mean grey level of the samples.", PixelSets,
            lambda sets: float(sets.samples.mean()), "baseline", "number", "detail", high=255.0),
)
'''


def subjects(seed: int) -> list[object]:
    rng = np.random.default_rng(seed)
    real, made = rng.normal(size=(60, 5)), rng.normal(size=(60, 5)) + 0.3
    pictures = [rng.integers(0, 256, (60, 48, 48), dtype=np.uint8) for _ in range(3)]
    labels = np.arange(60) % 3
    features = RealFeatures(
        reference=real, labels=labels, classes=3, held=lambda: real, train=lambda: made, neighbours=3, modes=6, seed=0
    )  # fmt: skip
    pixels = RealPixels(
        reference=pictures[0], labels=labels, classes=3, shrink=lambda images: images[:, ::4, ::4],
        train=pictures[0][:, ::4, ::4], held=pictures[1][:, ::4, ::4], seed=0,
    )  # fmt: skip
    read = ReadSamples(
        asked=labels, read=rng.integers(0, 3, (2, 60)), confidence=rng.random(60), wanted=np.full(3, 1 / 3)
    )
    texts = tuple(map(str, rng.integers(100, 999, 60)))
    guessed = tuple(map(str, rng.integers(100, 999, 60)))
    stream = SampleStream(independent=rng.integers(0, 3, (2, 60)), exact_copies=4, distinct=50, total=60)
    return [
        FeatureSets(samples=made, labels=labels, real=features),
        PixelSets(samples=pictures[2], labels=labels, real=pixels),
        read,
        stream,
        TextReadings(asked=texts, read=guessed),
        HeldOutTexts(truth=texts, read=guessed),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_every_figure_lies_in_the_range_its_measure_gives(seed: int) -> None:
    found = {key: value for subject in subjects(seed) for key, value in compute(subject).items()}
    expected = {
        key
        for key, m in measures().items()
        if "reader" in m.features and key not in ("gan_train", "attributes")
    }
    assert set(found) == expected
    for key, value in found.items():
        for number in value if isinstance(value, tuple) and not isinstance(value, Share) else [value]:
            number = number.value if isinstance(number, Share) else number
            assert math.isfinite(number)
            assert measures()[key].low <= number <= measures()[key].high, key


def test_every_measure_says_what_it_is_in_a_sentence() -> None:
    assert len(measures()) > 25
    for measure in measures().values():
        assert measure.meaning.endswith(".")
        assert measure.title != measure.key
        assert measure.group in GROUPS
        assert measure.direction


def test_a_further_reader_has_its_own_key_and_only_figures_of_every_reader() -> None:
    view = next(subject for subject in subjects(0) if isinstance(subject, ReadSamples))
    assert set(compute(view, suffix="judge", first=False)) == {"gan_test_judge"}
    by = measures()["gan_test"].by("judge", "judge", "judge")
    assert (by.key, by.title, by.brief) == ("gan_test_judge", "GAN-test (judge)", "judge")


def test_one_file_adds_a_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brightness.py").write_text(FURTHER)
    monkeypatch.setattr(samples, "__path__", [*samples.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    measures.cache_clear()
    try:
        assert measures()["brightness"].better == "baseline"
        pixels = next(subject for subject in subjects(0) if isinstance(subject, PixelSets))
        assert compute(pixels)["brightness"] == pytest.approx(127.5, abs=3)
    finally:
        measures.cache_clear()
        sys.modules.pop(f"{samples.__name__}.brightness", None)  # another test may add one of this name
