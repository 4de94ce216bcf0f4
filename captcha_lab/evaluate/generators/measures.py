"""The measures an evaluation knows: their names, their meaning in a line, and how they are printed."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One figure of a sample set.

    Attributes:
        key: its name in `report.json`.
        title: its name for people.
        better: "high", "low", or "floor" where the best value is the floor's.
        style: "share" (printed as %), "ratio" (1 is real) or "number".
        meaning: one line for the report.
        brief: column head of the terminal's table; empty: the table leaves it to the report.
    """

    key: str
    title: str
    better: str
    style: str
    meaning: str
    brief: str = ""

    def show(self, value: float | None) -> str:
        """The value as people read it; a dash where there is none."""
        if value is None or math.isnan(value):
            return "–"
        if self.style == "share":
            return f"{100 * value:.1f}"
        if self.style == "ratio":
            return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


_ALL = (
    Measure("gan_test", "GAN-test", "high", "share",
            "Samples that the recogniser reads as the class that was asked for (%).", "reads"),
    Measure("gan_test_judge", "GAN-test by the judge", "high", "share",
            "The same by the independent judge, which no training ever asked (%).", "judge"),
    Measure("gan_test_panel", "GAN-test by a panel", "high", "share",
            "Mean over freshly trained recognisers; the interval is their lowest and highest (%).", "panel"),
    Measure("gan_test_counter", "GAN-test by the counter-reader", "high", "share",
            "The same by the recogniser's own network, trained on the half that the judge never saw (%)."),
    Measure("agreement", "Judge and counter-reader agree", "high", "share",
            "Samples that these two, trained on disjoint halves, read alike, whatever was asked (%).", "agree"),
    Measure("confidence", "Confidence", "floor", "share",
            "Mean probability the recogniser gives its own reading (%)."),
    Measure("class_variation", "Class histogram off by", "low", "share",
            "Total variation between the classes read and those wanted: 0 the same, 100 disjoint (%)."),
    Measure("classes_reached", "Classes reached", "high", "share",
            "Classes made at least a tenth as often as wanted (%)."),
    Measure("gan_train", "GAN-train", "high", "share",
            "Real held-out glyphs read by a recogniser that was trained on samples only (%).", "trains"),
    Measure("attributes", "Attributes as asked", "high", "share",
            "Attributes that the attribute network reads off samples as they were asked for (%); "
            "on real images: as they are.", "asked"),
    Measure("attribute_frechet", "Attribute-Fréchet distance", "low", "number",
            "Fréchet distance in the features of a network trained to read attributes off this data; not FID.",
            "attr.-Fréchet"),
    Measure("frechet", "Fréchet distance", "low", "number",
            "Between Gaussians fitted to the features of samples and of real images.", "Fréchet"),
    Measure("kernel", "Kernel distance", "low", "number",
            "Squared maximum mean discrepancy of normalised features; about 0 for equal distributions."),
    Measure("precision", "Precision", "high", "share", "Samples that lie among real images (%)."),
    Measure("recall", "Recall", "high", "share", "Real images that lie among samples: diversity (%).", "recall"),
    Measure("density", "Density", "high", "ratio", "How deep samples lie among real images; near 1 for real ones."),
    Measure("coverage", "Coverage", "high", "share", "Real images that have a sample nearby (%).", "cover"),
    Measure("frechet_judge", "Fréchet distance (judge)", "low", "number", "In the judge's features."),
    Measure("kernel_judge", "Kernel distance (judge)", "low", "number", "In the judge's features."),
    Measure("precision_judge", "Precision (judge)", "high", "share", "In the judge's features (%)."),
    Measure("recall_judge", "Recall (judge)", "high", "share", "In the judge's features (%)."),
    Measure("density_judge", "Density (judge)", "high", "ratio", "In the judge's features."),
    Measure("coverage_judge", "Coverage (judge)", "high", "share", "In the judge's features (%)."),
    Measure("modes_reached", "Modes reached", "high", "share",
            "Clusters of the real features that hold at least a tenth of the samples they should (%)."),
    Measure("mode_variation", "Mode histogram off by", "low", "share",
            "Total variation between samples and real images over those clusters (%)."),
    Measure("variance", "Variance within classes", "floor", "ratio",
            "Of features, over that of real training images: 0 is one image per class.", "vary"),
    Measure("variance_pixels", "Variance within classes (pixels)", "floor", "ratio", "The same of pixels."),
    Measure("sliced", "Sliced Wasserstein distance", "low", "number", "Between pixels; needs no model."),
    Measure("roughness", "Roughness", "floor", "ratio",
            "Fine detail over that of real images: below 1 blurred, above 1 speckled."),
    Measure("neighbour", "Distance to training", "floor", "ratio",
            "To the nearest training image in pixels, over that of held-out ones: "
            "well below 1 memorised, above 1 speckled.", "near"),
    Measure("neighbour_features", "Distance to training (features)", "floor", "ratio", "The same in features."),
    Measure("near_copies", "Near copies", "floor", "share",
            "Samples nearer to a training image than 95 % of held-out ones are; 5 is the floor (%)."),
    Measure("exact_copies", "Exact copies", "low", "share", "Samples that are a training image, pixel by pixel (%)."),
    Measure("distinct", "Distinct samples", "high", "share", "Different images among the samples (%)."),
    Measure("similarity", "MS-SSIM of pairs", "floor", "ratio",
            "Structural similarity of random pairs of samples: above real's, they look alike."),
    Measure("fid", "FID (Inception)", "low", "number",
            "Fréchet distance in the Inception features of the given weights, as in the literature."),
)  # fmt: skip

MEASURES: dict[str, Measure] = {measure.key: measure for measure in _ALL}


@dataclass(frozen=True)
class Value:
    """A figure with what it may be off by.

    Attributes:
        value: the figure (mean over seeds); `nan` where it can't be had.
        low: lower end: Wilson's for shares of samples, the mean less one standard deviation for other figures
            measured with several seeds; None for one seed.
        high: upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None
