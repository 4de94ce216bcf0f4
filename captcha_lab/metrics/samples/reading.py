"""Reading samples: as the class asked for? by whom? how sure? and what do they teach another reader?"""

from __future__ import annotations

from captcha_lab.metrics.accuracy import class_histogram, glyph_accuracy, total_variation
from captcha_lab.metrics.intervals import Share, share_of
from captcha_lab.metrics.samples.measure import Measure
from captcha_lab.metrics.samples.subjects import (
    AttributeReadings,
    HeldOutReadings,
    HeldOutTexts,
    ReadSamples,
    SampleStream,
    TextReadings,
)
from captcha_lab.metrics.text import character_accuracy, text_accuracy


def _as_asked(view: ReadSamples) -> tuple[Share, ...] | None:
    return tuple(glyph_accuracy(view.asked, one) for one in view.read) if view.conditioned else None


def _off_histogram(view: ReadSamples) -> float:
    return total_variation(class_histogram(view.read[0], len(view.wanted)), view.wanted)


def _agreement(stream: SampleStream) -> Share | None:
    if len(stream.independent) < 2:
        return None
    return share_of((stream.independent == stream.independent[0]).all(axis=0))


def _attributes(view: AttributeReadings) -> Share:
    return share_of(view.asked == view.read)


MEASURES = (
    Measure(
        "gan_test", "GAN-test", "Samples that are read as the class that was asked for (%).",
        ReadSamples, _as_asked, "high", "share", "reading", high=1.0,
        brief="reads", heading="read as asked", every_reader=True,
    ),
    Measure(
        "agreement", "Independent readers agree",
        "Samples that readers trained on disjoint halves of the data read alike, whatever was asked (%).",
        SampleStream, _agreement, "high", "share", "reading", high=1.0, brief="agree", heading="judges agree",
    ),
    Measure(
        "confidence", "Confidence", "Mean probability that the recogniser gives its own reading (%).",
        ReadSamples, lambda view: float(view.confidence.mean()), "baseline", "share", "reading", high=1.0,
    ),
    Measure(
        "class_variation", "Difference of class frequencies",
        "Total variation between the classes read and those wanted (%): 0 the same, 100 disjoint.",
        ReadSamples, _off_histogram, "low", "share", "reading", high=1.0,
    ),
    Measure(
        "gan_train", "GAN-train",
        "Held-out real glyphs read right by a recogniser that was trained on samples only (%).",
        HeldOutReadings, lambda view: glyph_accuracy(view.truth, view.read), "high", "share", "reading",
        high=1.0, brief="trains", heading="teach reading",
    ),
    Measure(
        "attributes", "Attributes as asked",
        "Attributes that the attribute network reads off samples as they were asked for (%); on real images: as "
        "they are.",
        AttributeReadings, _attributes, "high", "share", "reading", high=1.0,
        brief="asked", heading="attributes as asked",
    ),
    Measure(
        "texts", "Captchas as asked",
        "Whole captchas that the judge reads as the text that was asked for (%); of real ones: as they are labelled.",
        TextReadings, lambda view: text_accuracy(view.asked, view.read), "high", "share", "reading", high=1.0,
        brief="captchas", heading="whole captchas as asked",
    ),
    Measure(
        "characters", "Characters as asked",
        "Characters of the texts asked for that the judge reads in their place (%).",
        TextReadings, lambda view: character_accuracy(view.asked, view.read), "high", "share", "reading", high=1.0,
        brief="characters", heading="characters as asked",
    ),
    Measure(
        "text_train", "Teaches a reader",
        "Held-out real captchas read right by a reader that learned from samples only (%).",
        HeldOutTexts, lambda view: text_accuracy(view.truth, view.read), "high", "share", "reading", high=1.0,
        brief="trains", heading="teach reading",
    ),
)  # fmt: skip
