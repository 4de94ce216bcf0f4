"""One evaluation: every candidate, and real images in a candidate's place (the baseline), by the same measures."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.config import EvalConfig
from captcha_lab.evaluate.generators.attributes import AttributeJudge, AttributeResult, measure_attributes
from captcha_lab.evaluate.generators.candidate import Candidate, check_candidate, check_reader
from captcha_lab.evaluate.generators.distances import Comparison, RealSide
from captcha_lab.evaluate.generators.figures import Tally, Value, pool
from captcha_lab.evaluate.generators.gan_train import can_train, gan_train, train_and_read
from captcha_lab.evaluate.generators.groups import entries
from captcha_lab.evaluate.generators.result import CandidateResult, Evaluation, Neighbourhood
from captcha_lab.evaluate.generators.stream import Stream, read_stream, stream_figures
from captcha_lab.evaluate.generators.texts import (
    AskedTexts,
    TextJudge,
    measure_asked,
    read_real,
    taught,
    text_train,
)
from captcha_lab.evaluate.generators.verdict import judge_figures
from captcha_lab.evaluate.readers import Readers, reader_measures
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Extractor, pixel_extractor
from captcha_lab.metrics.accuracy import confusion_matrix, per_class
from captcha_lab.progress import PhaseProgress, no_progress

MIN_DISTANCE_SAMPLES = 20  # fewer images on a side say nothing about a distribution
MOST_COMPARED = 128 * 2**20  # bytes of images on each side of a distance


class Evaluator:
    """Measures candidates one after another; what depends on the real data alone is computed once.

    Args:
        real: the data.
        readers: who reads samples, by name, the main one first; empty where nobody can (faces, no labels).
        config: see `EvalConfig`.
        extra: further feature extractors, such as Inception.
        attributes: the network that reads attributes; its features are the main ones where there is no reader.
        texts: who reads whole captchas; its features are the main ones.
        progress: told what is being done.

    Raises:
        CaptchaLabError: a reader's classes or size are not the data's.
    """

    def __init__(
        self,
        real: RealData,
        readers: Readers | None = None,
        config: EvalConfig | None = None,
        *,
        extra: Sequence[Extractor] = (),
        attributes: AttributeJudge | None = None,
        texts: TextJudge | None = None,
        progress: PhaseProgress = no_progress,
    ) -> None:
        self.real, self.config, self.progress = real, config or EvalConfig(), progress
        self.readers, self.attributes, self.texts = readers or {}, attributes, texts
        for name, reader in self.readers.items():
            check_reader(reader, real, name)
        self.reader = next((reader.networks[0] for reader in self.readers.values()), None)
        found = [reader.extractor for reader in self.readers.values()]
        self.extractors = [extractor for extractor in found if extractor is not None]
        if not self.extractors and attributes is not None:
            self.extractors = [Extractor("attribute network", attributes.features, "attributes")]
        if texts is not None:
            self.extractors = [texts.extractor, *self.extractors]
        self.extractors = [*(self.extractors or [pixel_extractor()]), *extra]
        self._real_sides: dict[tuple[int, int], RealSide] = {}
        self._baselines: dict[int, dict[str, Value]] = {}
        self._trained: dict[int, Tally] = {}

    def run(self, candidates: Sequence[Candidate]) -> Evaluation:
        """Measure all candidates; the leaderboard has the best first (see `verdict.ranking` and `groups.entries`)."""
        measured = [self.measure(candidate) for candidate in candidates]
        results = [member for entry in entries(measured) for member in entry.members]
        if not self._baselines:
            self.baseline(self.sample_size(None))
        trained = self._real_training() if self._trained else {}
        return Evaluation(
            results,
            {count: baseline | trained for count, baseline in self._baselines.items()},
            self.real,
            self.config,
            tuple(extractor.name for extractor in self.extractors),
            dict(self.readers),
            reader_measures(self.readers),
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

    def baseline(self, count: int) -> dict[str, Value]:
        """Every measure of held-out real images at one sample size."""
        if count not in self._baselines:
            held = self.held_out()
            tallies: list[Tally] = []
            for seed in self._seeds():
                self.progress("real against real", len(tallies), self.config.seeds)
                stream = read_stream(held, self.real, self.readers, self.config, seed)
                comparison = self._real_side(count, seed).measure_held()
                tallies.append(stream_figures(stream, self.real, self.readers) | comparison.figures)
            read = {} if self.texts is None else read_real(self.real, self.texts)
            self._baselines[count] = pool(tallies) | read
        return self._baselines[count]

    def held_out(self) -> Candidate:
        """The held-out real images as a candidate."""
        labels = self.real.held_conditions if self.real.labelled else None
        return Candidate("real (held out)", images=self.real.held, labels=labels, labelled=labels is not None)

    def _real_training(self) -> dict[str, Value]:
        """GAN-train's baseline: the same recogniser trained on the real training pictures, once for each seed."""
        for seed in self._seeds():
            if seed not in self._trained and self.texts is not None:
                asked = self.texts.decode(np.asarray(self.real.train_conditions))
                self._trained[seed] = taught(
                    self.real.train, asked, self.real, self.texts, "real captchas", self.progress
                )
            elif seed not in self._trained:
                labels = np.asarray(self.real.train_conditions)
                self._trained[seed] = train_and_read(
                    self.real.train, labels, self.real, self.config, seed, "real glyphs", self.progress
                )
        return pool([self._trained[seed] for seed in self._seeds()])

    def measure(self, candidate: Candidate) -> CandidateResult:
        """All figures of one candidate, over the configured seeds.

        Raises:
            CaptchaLabError: its images are not of the data's size, or its classes not the data's.
        """
        check_candidate(candidate, self.real, self.config.seed)
        started = time.perf_counter()
        count = self.sample_size(candidate.capacity)
        trains = self.config.gan_train and can_train(candidate, self.real)
        teaches = self.config.gan_train and self.texts is not None and candidate.labelled
        tallies: list[Tally] = []
        streams, comparisons = [], []
        for seed in self._seeds():
            stream = read_stream(candidate, self.real, self.readers, self.config, seed, self.progress)
            self.progress(f"{candidate.name}: distances", len(tallies), self.config.seeds)
            comparison = self._real_side(count, seed).measure_candidate(candidate)
            tally = stream_figures(stream, self.real, self.readers) | comparison.figures
            if trains:
                tally |= gan_train(candidate, self.real, self.config, seed, self.progress)
            if teaches and self.texts is not None:
                tally |= text_train(candidate, self.real, self.texts, self.config, seed, self.progress)
            tallies.append(tally)
            streams.append(stream)
            comparisons.append(comparison)
        figures = pool(tallies)
        baseline = self.baseline(count) | (self._real_training() if trains or teaches else {})
        attributes = self._attributes(candidate)
        if attributes is not None:
            figures, baseline = figures | attributes.figures, baseline | attributes.baseline
        texts = self._asked(candidate)
        if texts is not None:
            figures = figures | texts.figures
        confusion = self._confusion(streams)
        shares = [] if confusion is None else per_class(confusion)
        by_class = dict(zip(self.real.classes, shares, strict=False))
        return CandidateResult(
            name=candidate.name,
            figures=figures,
            baseline=baseline,
            verdict=judge_figures(candidate.name, figures, baseline, by_class),
            distance_samples=count,
            read_samples=sum(len(stream.asked) for stream in streams),
            per_class=shares,
            confusion=confusion,
            stream=streams[0],
            neighbours=self._neighbourhood(comparisons[0]),
            attributes=attributes,
            texts=texts,
            strips=candidate.strips() if candidate.strips is not None else [],
            training=candidate.training() if candidate.training is not None else None,
            facts=candidate.facts,
            seconds=time.perf_counter() - started,
        )

    def _asked(self, candidate: Candidate) -> AskedTexts | None:
        if self.texts is None or not candidate.labelled:
            return None
        seed = self.config.seed
        return measure_asked(candidate, self.real, self.texts, self.config, seed, self.progress)

    def _attributes(self, candidate: Candidate) -> AttributeResult | None:
        if self.attributes is None or not candidate.attributes:
            return None
        seed = self.config.seed
        return measure_attributes(candidate, self.real, self.attributes, self.config, seed, self.progress)

    def _seeds(self) -> range:
        return range(self.config.seed, self.config.seed + self.config.seeds)

    def _real_side(self, count: int, seed: int) -> RealSide:
        key = count, seed
        if key not in self._real_sides:
            # Of one sample size at a time: features of all training images are held.
            self._real_sides = {k: side for k, side in self._real_sides.items() if k[0] == count}
            self._real_sides[key] = RealSide(
                self.real, self.extractors, count, self.config, seed, self.reader
            )
        return self._real_sides[key]

    def _confusion(self, streams: list[Stream]) -> NDArray[np.int64] | None:
        """What the main reader reads for each class asked for; None where none was asked for."""
        if not self.readers or not self.real.labelled or any((stream.asked < 0).any() for stream in streams):
            return None
        main = next(iter(self.readers))
        counts = [confusion_matrix(s.asked, s.read[main][0], len(self.real.classes)) for s in streams]
        return np.asarray(np.sum(counts, axis=0, dtype=np.int64))

    def _neighbourhood(self, comparison: Comparison, count: int = 12) -> Neighbourhood:
        """The nearest pairs first: if anything was copied, it is here."""
        rows = np.argsort(comparison.neighbours.distance, kind="stable")[:count]
        near = comparison.neighbours
        return Neighbourhood(comparison.samples[rows], self.real.train[near.which[rows]], near.distance[rows])
