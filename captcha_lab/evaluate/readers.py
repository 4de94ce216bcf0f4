"""Who reads samples in an evaluation: readers by name, each with its role. Every table and report goes through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from captcha_lab.evaluate.subject import Extractor
from captcha_lab.metrics.intervals import Share
from captcha_lab.metrics.samples.measure import Measure, measures
from captcha_lab.recognise.contract import GlyphClassifier


@dataclass(frozen=True)
class SampleReader:
    """A reader of samples and its role; the first of an evaluation is the main one.

    Attributes:
        networks: one classifier, or several whose mean and range are shown (a panel).
        suffix: of the keys of its figures; empty for the main one.
        column: head of its column in the terminal's table; empty: only the report shows it.
        role: one sentence on what it is, for the report.
        features: names its features where distances are measured in them; empty where they are not.
        independent: trained on data that no other independent reader and no generator's training saw.
        accuracy: share of held-out real glyphs that it reads right, where known.
    """

    networks: tuple[GlyphClassifier, ...]
    suffix: str = ""
    column: str = "reads"
    role: str = ""
    features: str = ""
    independent: bool = False
    accuracy: Share | None = None

    @property
    def extractor(self) -> Extractor | None:
        """Its features as something to measure distances in."""
        return (
            Extractor(self.features, self.networks[0].features, "reader", self.suffix)
            if self.features
            else None
        )


Readers = Mapping[str, SampleReader]  # by name, the main one first


def main_reader(network: GlyphClassifier, features: str = "recogniser") -> dict[str, SampleReader]:
    """The recogniser alone, as readers of an evaluation."""
    role = "The workspace's recogniser. It may have chosen the checkpoints of the generators it reads."
    return {"recogniser": SampleReader((network,), role=role, features=features)}


def reader_measures(readers: Readers) -> dict[str, Measure]:
    """Every measure of samples by its key, those of further readers beside the main one's, in the order of tables."""
    found: dict[str, Measure] = {}
    for measure in measures().values():
        found[measure.key] = measure
        further = [(name, r) for name, r in readers.items() if r.suffix] if measure.every_reader else []
        by = [measure.by(reader.suffix, name, reader.column) for name, reader in further]
        found |= {one.key: one for one in by}
    return found
