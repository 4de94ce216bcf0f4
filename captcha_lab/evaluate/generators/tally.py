"""From readings and distances to figures: one seed's tally, and several seeds pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.distances import in_batches
from captcha_lab.evaluate.generators.measures import Value
from captcha_lab.evaluate.generators.stream import Stream
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Extractor, Reader
from captcha_lab.metrics.accuracy import class_histogram, total_variation
from captcha_lab.metrics.diversity import classes_reached
from captcha_lab.metrics.frechet import frechet_distance
from captcha_lab.metrics.intervals import Share, spread, wilson

Tally = dict[str, Share | float]  # figures of one seed; shares are pooled over seeds, numbers averaged


def extractor_distance(
    extractor: Extractor, samples: NDArray[np.uint8], reference: NDArray[np.uint8]
) -> float:
    """Fréchet distance in a further extractor's features."""
    return frechet_distance(
        in_batches(extractor.features, samples), in_batches(extractor.features, reference)
    )


def stream_figures(
    stream: Stream, real: RealData, reader: Reader | None, judge: Reader | None, counter: Reader | None
) -> Tally:
    """Figures of what was read: GAN-test, agreement, histograms, copies."""
    n, classes = len(stream.read), len(real.classes)
    figures: Tally = {
        "exact_copies": wilson(stream.exact_copies, n),
        "distinct": stream.distinct / n,
    }
    told = bool((stream.asked >= 0).all())
    if reader is not None and classes:
        wanted = class_histogram(stream.asked, classes) if told else real.class_shares
        figures["confidence"] = float(stream.confidence.mean())
        figures["class_variation"] = total_variation(class_histogram(stream.read, classes), wanted)
        figures["classes_reached"] = classes_reached(stream.read, wanted)
        if told:
            figures["gan_test"] = wilson(int((stream.read == stream.asked).sum()), n)
    if judge is not None and told:
        figures["gan_test_judge"] = wilson(int((stream.judged == stream.asked).sum()), n)
    if counter is not None and told:
        figures["gan_test_counter"] = wilson(int((stream.countered == stream.asked).sum()), n)
    if judge is not None and counter is not None:
        figures["agreement"] = wilson(int((stream.judged == stream.countered).sum()), n)
    return figures


def pool(tallies: Sequence[Tally]) -> dict[str, Value]:
    """Figures of several seeds as one: counts added up, others averaged with their standard deviation."""
    pooled: dict[str, Value] = {}
    for key in tallies[0]:
        values = [tally[key] for tally in tallies if key in tally]
        shares = [value for value in values if isinstance(value, Share)]
        if shares:
            share = wilson(sum(s.successes for s in shares), sum(s.trials for s in shares))
            pooled[key] = Value(share.value, share.low, share.high)
            continue
        over = spread([value for value in values if not isinstance(value, Share)])
        several = over.seeds > 1
        pooled[key] = Value(
            over.mean,
            over.mean - over.deviation if several else None,
            over.mean + over.deviation if several else None,
        )
    return pooled


def labels_of(real: RealData) -> NDArray[np.integer] | None:
    """Class numbers of the held-out images, or None."""
    return real.held_conditions if real.labelled else None


def panel_figures(panel: Sequence[Reader], candidate: Candidate) -> dict[str, Value]:
    """GAN-test of a fixed labelled set by each of a panel: mean, lowest and highest."""
    if not panel or candidate.images is None or candidate.labels is None:
        return {}
    shares = [
        float((in_batches(reader.probabilities, candidate.images).argmax(axis=1) == candidate.labels).mean())
        for reader in panel
    ]
    return {"gan_test_panel": Value(float(np.mean(shares)), min(shares), max(shares))}
