"""One evaluation: every candidate, and real images in a candidate's place (the floor), by the same measures."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.attributes import AttributeJudge, AttributeResult, measure_attributes
from captcha_lab.evaluate.generators.candidate import Candidate
from captcha_lab.evaluate.generators.check import check_candidate, check_reader
from captcha_lab.evaluate.generators.distances import Comparison, Yardstick
from captcha_lab.evaluate.generators.gan_train import can_train, gan_train, train_and_read
from captcha_lab.evaluate.generators.groups import entries
from captcha_lab.evaluate.generators.measures import Value
from captcha_lab.evaluate.generators.result import CandidateResult, Evaluation, Neighbourhood
from captcha_lab.evaluate.generators.stream import Stream, read_stream
from captcha_lab.evaluate.generators.tally import (
    Tally,
    extractor_distance,
    labels_of,
    panel_figures,
    pool,
    stream_figures,
)
from captcha_lab.evaluate.generators.verdict import judge_figures
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Extractor, Progress, Reader, pixel_extractor, silent
from captcha_lab.metrics.accuracy import confusion_matrix, per_class
from captcha_lab.metrics.intervals import Share

MIN_DISTANCE_SAMPLES = 20  # fewer images on a side say nothing about a distribution
MOST_COMPARED = 128 * 2**20  # bytes of images on each side of a distance


class Evaluator:
    """Measures candidates one after another; what depends on the real data alone is computed once.

    Args:
        real: the data.
        reader: the recogniser, or None where nobody can read (faces, no labels).
        judge: the independent second recogniser, or None.
        counter: a further one whose training data are disjoint from the judge's, or None.
        config: see `EvalConfig`.
        reader_name: names the features ("lenet of RUN").
        extra: further extractors by figure key, such as {"fid": Inception}.
        attributes: the network that reads attributes; its features are the main ones where there is no reader.
        panel: further readers whose spread is shown (see `printed.train_panel`).
        progress: told what is being done.

    Raises:
        CaptchaLabError: the reader's classes or size are not the data's.
    """

    def __init__(
        self,
        real: RealData,
        reader: Reader | None,
        judge: Reader | None = None,
        config: EvalConfig | None = None,
        *,
        counter: Reader | None = None,
        reader_name: str = "recogniser",
        extra: dict[str, Extractor] | None = None,
        attributes: AttributeJudge | None = None,
        panel: Sequence[Reader] = (),
        progress: Progress = silent,
    ) -> None:
        self.real, self.config, self.progress = real, config or EvalConfig(), progress
        for who, name in ((reader, "recogniser"), (judge, "judge"), (counter, "counter-reader")):
            check_reader(who, real, name)
        self.reader, self.judge, self.counter = reader, judge, counter
        self.reader_name = reader_name if reader else None
        self.extra, self.panel = extra or {}, panel
        self.attributes = attributes
        main = pixel_extractor()
        if reader is not None:
            main = Extractor(reader_name, reader.features)
        elif attributes is not None:
            main = Extractor("attribute network", attributes.features, "attribute_frechet")
        self.extractors = [main] + ([Extractor("judge", judge.features)] if judge else [])
        self._yardsticks: dict[tuple[int, int], Yardstick] = {}
        self._floors: dict[int, dict[str, Value]] = {}
        self._trained: dict[int, Share] = {}

    def run(self, candidates: Sequence[Candidate]) -> Evaluation:
        """Measure all candidates; the leaderboard has the best first (see `verdict.ranking` and `groups.entries`)."""
        measured = [self.measure(candidate) for candidate in candidates]
        results = [member for entry in entries(measured) for member in entry.members]
        if self._trained:
            self._floors = {count: floor | self._real_training() for count, floor in self._floors.items()}
        return Evaluation(
            results,
            self._floors or {self.sample_size(None): self.floor(self.sample_size(None))},
            self.real,
            self.config,
            tuple(extractor.name for extractor in self.extractors),
            self.reader_name,
            getattr(self.judge, "accuracy", None),
            getattr(self.counter, "accuracy", None),
        )

    def sample_size(self, capacity: int | None) -> int:
        """Images on each side of a distance: the same for samples, held-out and training images.

        Raises:
            CaptchaLabError: too few.
        """
        room = MOST_COMPARED // max(1, int(np.prod(self.real.image_shape)))
        sizes = [len(self.real.held), len(self.real.train), self.config.distance_samples, room]
        count = min([*sizes, capacity] if capacity is not None else sizes)
        if count < max(MIN_DISTANCE_SAMPLES, self.config.neighbours + 1):
            raise CaptchaLabError(
                f"Only {count} images could be compared ({len(self.real.held)} held out, {len(self.real.train)} "
                f"for training): at least {MIN_DISTANCE_SAMPLES} are needed. Scrape or label more."
            )
        return count

    def floor(self, count: int) -> dict[str, Value]:
        """Every measure of held-out real images at one sample size."""
        if count not in self._floors:
            held = self.held_out()
            tallies: list[Tally] = []
            for seed in self._seeds():
                self.progress("real against real", len(tallies), self.config.seeds)
                stream = read_stream(
                    held, self.real, self.reader, self.judge, self.counter, self.config, seed
                )
                comparison = self._yardstick(count, seed).measure_held()
                tally = stream_figures(stream, self.real, self.reader, self.judge, self.counter)
                tally |= comparison.figures | self._extra_figures(comparison, count, seed)
                tallies.append(tally)
            self._floors[count] = pool(tallies) | panel_figures(self.panel, held)
        return self._floors[count]

    def held_out(self) -> Candidate:
        """The held-out real images as a candidate."""
        labels = labels_of(self.real)
        return Candidate("real (held out)", images=self.real.held, labels=labels, labelled=labels is not None)

    def _real_training(self) -> dict[str, Value]:
        """GAN-train's floor: the same recogniser trained on the real training glyphs, once for each seed."""
        for seed in self._seeds():
            if seed not in self._trained:
                labels = np.asarray(self.real.train_conditions)
                self._trained[seed] = train_and_read(
                    self.real.train, labels, self.real, self.config, seed, "real glyphs", self.progress
                )
        return pool([{"gan_train": self._trained[seed]} for seed in self._seeds()])

    def measure(self, candidate: Candidate) -> CandidateResult:
        """All figures of one candidate, over the configured seeds.

        Raises:
            CaptchaLabError: its images are not of the data's size, or its classes not the data's.
        """
        check_candidate(candidate, self.real, self.config.seed)
        started = time.perf_counter()
        count = self.sample_size(candidate.capacity)
        trains = self.config.gan_train and can_train(candidate, self.real)
        tallies: list[Tally] = []
        streams, comparisons = [], []
        for seed in self._seeds():
            stream = read_stream(
                candidate, self.real, self.reader, self.judge, self.counter, self.config, seed, self.progress
            )
            self.progress(f"{candidate.name}: distances", len(tallies), self.config.seeds)
            comparison = self._yardstick(count, seed).measure_candidate(candidate)
            tally = stream_figures(stream, self.real, self.reader, self.judge, self.counter)
            tally |= comparison.figures | self._extra_figures(comparison, count, seed)
            if trains:
                tally["gan_train"] = gan_train(candidate, self.real, self.config, seed, self.progress)
            tallies.append(tally)
            streams.append(stream)
            comparisons.append(comparison)
        figures = pool(tallies) | panel_figures(self.panel, candidate)
        floor = self.floor(count) | (self._real_training() if trains else {})
        told = self._attributes(candidate)
        if told is not None:
            figures, floor = figures | {"attributes": told.figure}, floor | {"attributes": told.floor}
        confusion = self._confusion(streams)
        return CandidateResult(
            name=candidate.name,
            figures=figures,
            floor=floor,
            verdict=judge_figures(candidate.name, figures, floor),
            distance_samples=count,
            read_samples=sum(len(stream.read) for stream in streams),
            per_class=[] if confusion is None else per_class(confusion),
            confusion=confusion,
            stream=streams[0],
            neighbours=self._neighbourhood(comparisons[0]),
            attributes=told,
            strips=candidate.strips() if candidate.strips is not None else [],
            facts=candidate.facts,
            seconds=time.perf_counter() - started,
        )

    def _attributes(self, candidate: Candidate) -> AttributeResult | None:
        if self.attributes is None or not candidate.attributes:
            return None
        seed = self.config.seed
        return measure_attributes(candidate, self.real, self.attributes, self.config, seed, self.progress)

    def _seeds(self) -> range:
        return range(self.config.seed, self.config.seed + self.config.seeds)

    def _yardstick(self, count: int, seed: int) -> Yardstick:
        key = count, seed
        if key not in self._yardsticks:
            self._yardsticks = {
                k: y for k, y in self._yardsticks.items() if k[0] == count
            }  # one size at a time
            self._yardsticks[key] = Yardstick(
                self.real, self.extractors, count, self.config, seed, self.reader
            )
        return self._yardsticks[key]

    def _extra_figures(self, comparison: Comparison, count: int, seed: int) -> dict[str, float]:
        reference = self._yardstick(count, seed).reference
        return {key: extractor_distance(e, comparison.samples, reference) for key, e in self.extra.items()}

    def _confusion(self, streams: list[Stream]) -> NDArray[np.int64] | None:
        if self.reader is None or any((stream.asked < 0).any() for stream in streams):
            return None
        return np.sum(
            [confusion_matrix(s.asked, s.read, len(self.real.classes)) for s in streams],
            axis=0,
            dtype=np.int64,
        )

    def _neighbourhood(self, comparison: Comparison, count: int = 12) -> Neighbourhood:
        """The nearest pairs first: if anything was copied, it is here."""
        rows = np.argsort(comparison.neighbours.distance, kind="stable")[:count]
        near = comparison.neighbours
        return Neighbourhood(comparison.samples[rows], self.real.train[near.which[rows]], near.distance[rows])
