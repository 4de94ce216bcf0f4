"""Training the sequence reader: from the base reader or from nothing, on 25 labelled captchas or on 100,000."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from captcha_lab.errors import CaptchaLabError
from captcha_lab.parallel import ALONE, Group
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.recognise.fit import Figures, FitConfig, fit
from captcha_lab.recognise.networks.sequence import SequenceNetwork
from captcha_lab.recognise.registry import ReaderReport
from captcha_lab.recognise.sequence.adapt import surer
from captcha_lab.recognise.sequence.augment import Augmentation
from captcha_lab.recognise.sequence.batches import (
    TextBatch,
    TextBatches,
    ctc_objective,
    joined,
    rows_of,
)
from captcha_lab.recognise.sequence.config import SequenceConfig
from captcha_lab.recognise.sequence.measure import MOST, calibrated, evaluation, share_right
from captcha_lab.recognise.sequence.parts import as_read, fitting_in, without_text
from captcha_lab.recognise.sequence.reader import KIND, SequenceFacts, SequenceReader, base_reader
from captcha_lab.recognise.sequence.start import facts_of, start_fresh, start_from
from captcha_lab.store.board import open_board
from captcha_lab.store.packed.texts import TextSet
from captcha_lab.store.runs import Run, load_resume, save_weights

LEAST = 2  # labelled captchas, below which there is nothing to train on
MIN_VALIDATION = 30  # captchas, below which there is no second cycle, as they could not tell that it did harm
BASE_RATE, FRESH_RATE, SECOND_RATE = 1.5e-3, 2e-3, 5e-4
BASE_STEPS, FRESH_STEPS = 200, 800
PASSES, MANY = 10, 2000  # over the labelled captchas in a cycle, at least, up to so many of them
WORSE = 1.5  # times the loss before, above which the second cycle is taken back: the loss varies by chance
SHORTEST = 5.0  # seconds of a time limit that are worth another cycle
FIRST_SHARE = 0.6  # of the time limit, for the labelled captchas where there are others
SURE = 0.95  # confidence from which a reading is taken for a label
TRUSTED = 0.9  # share of the labelled captchas' surer half read right, from which others are learned as read
LEAST_SURE = 20  # such readings, below which they are not worth a training


def train(
    data: TextSet,
    models: Path,
    config: SequenceConfig | None = None,
    name: str | None = None,
    progress: PhaseProgress = no_progress,
    group: Group = ALONE,
    base: SequenceReader | None = None,
) -> ReaderReport:
    """Train on a text set's training split and leave a run folder with the best weights.

    They are the last ones of a cycle of the learning rate: of a hundred captchas a few more or fewer are read right by
    chance, and weights on the way are the better ones by chance, too.

    Args:
        data: captchas and texts; those without a text may be learned from as well (see `SequenceConfig`).
        models: folder of runs; an unfinished run of that name goes on where it was killed.
        config: see `SequenceConfig`.
        name: of the run; by date where None.
        progress: called with the phase, the steps done and planned in it, and the loss.
        group: the processes that train it together; the first one's run folder is the one to keep.
        base: the reader to start from; None for what the configuration says.

    Raises:
        CaptchaLabError: too few labelled captchas to train on, the disk refuses, or another process has ended.
    """
    config = config or SequenceConfig()
    labelled = data.part("train"), data.part("validation")
    if len(labelled[0]) < LEAST:
        raise CaptchaLabError(
            f"Only {len(labelled[0])} labelled captchas to train on: give labels with `captcha-lab label` or "
            "`captcha-lab import PATH --labels filename`."
        )
    if config.start:
        base = SequenceReader.load(config.start)
    elif base is None and config.from_base:
        base = base_reader()
    both = data.take(np.isin(data.image_ids, np.concatenate([part.image_ids for part in labelled])))
    facts = facts_of(both.images, both.texts, base)
    if base and config.start:
        facts = facts.extended(base.facts)
    fitting, validation = (fitting_in(part, facts) for part in labelled)
    if not len(fitting):
        raise CaptchaLabError("Every labelled captcha is too narrow for its text: check the labels.")
    run = Run.continued(
        models, "recogniser", name, {"reader": KIND, "train": asdict(config), "data": data.info}
    )
    started = time.monotonic()
    network = start_from(base, facts) if base else start_fresh(facts, config.seed)
    others = without_text(data, config.seed) if config.unlabelled else data.take([])
    training = _Training(network, fitting, validation, others, facts, config, run, progress, group)
    training.on_labelled(FIRST_SHARE if len(others) >= LEAST_SURE else 1.0)
    training.on_unlabelled()
    reader = training.reader()
    save_weights(run.weights, network.state_dict(), {**reader.facts.metadata(), "data": data.info})
    _draw(run)
    report = ReaderReport(
        run=run,
        kind=KIND,
        seconds=time.monotonic() - started,
        train=share_right(reader, fitting),
        validation=share_right(reader, validation),
        test=share_right(reader, data.part("test")),
        warnings=_warnings(len(both) - len(fitting) - len(validation), validation),
    )
    shares = {f"{split}_captchas": getattr(report, split) for split in ("train", "validation", "test")}
    run.log(summary=True, **shares, warnings=report.warnings)
    for left in run.root.glob("resume*.pt"):
        left.unlink()
    return report


def _warnings(left_out: int, validation: TextSet) -> list[str]:
    found = []
    if left_out:
        captchas = "1 captcha is" if left_out == 1 else f"{left_out} captchas are"
        found.append(f"{captchas} too narrow for the text given and left out: check the labels.")
    if not len(validation):
        found.append("No captcha was left for validation: label more, or trust no figure here.")
    return found


class _Judged(NamedTuple):
    """How the validation split was read, and with which weights."""

    accuracy: float
    loss: float
    weights: dict[str, Tensor]


@dataclass
class _Training:
    """The two phases of a training, each on labelled captchas and on others as they are read before it."""

    network: SequenceNetwork
    fitting: TextSet
    validation: TextSet
    others: TextSet  # without a label
    facts: SequenceFacts
    config: SequenceConfig
    run: Run
    progress: PhaseProgress
    group: Group
    steps: int = 0  # of what is done
    seconds: float = 0.0

    def reader(self) -> SequenceReader:
        """The reader as it is now, with calibrated confidences."""
        plain = SequenceReader(self.network, self.facts)
        temperature = calibrated(plain, self.validation)
        return SequenceReader(self.network, replace(self.facts, temperature=temperature))

    def on_labelled(self, share: float) -> None:
        """Train on the labelled captchas, in a share of the time limit.

        Beside them on the surer half of the others, as the base reader reads these, if it reads the surer half of the
        labelled ones right. After a cycle of the learning rate another one follows that is twice as long, whatever the
        validation split says: where its captchas are all read, others may not be.
        """
        config = self.config
        usual = BASE_STEPS if config.from_base else FRESH_STEPS
        guessed = self._guessed() if config.from_base else self.others.take([])
        usual += 2 * (len(self.fitting) + len(guessed)) // config.batch_size
        steps = config.steps or max(usual, PASSES * min(len(self.fitting), MANY) // config.batch_size)
        rate = config.learning_rate or (BASE_RATE if config.from_base else FRESH_RATE)
        batches = self._mixed(guessed)
        limit = share * config.time_limit
        self._fit("labelled captchas", batches, steps, rate, limit)
        if config.steps or len(self.validation) < MIN_VALIDATION:
            return
        left = self.group.first(limit - self.seconds)
        if limit and left < SHORTEST:
            return
        judged = self._judged()
        later = partial(_later, batches, self.steps)
        self._fit("labelled captchas", later, 2 * steps, rate, max(left, 0), cycle=2)
        if self._judged().loss > WORSE * judged.loss:
            self.network.load_state_dict(judged.weights)

    def on_unlabelled(self) -> None:
        """Train on, half of each batch being captchas without a label as they are read now, where that is sure.

        Pseudo-labels (Lee 2013), in one round. Safeguard: the weights stay as they were unless the validation split
        is read as well afterwards.
        """
        readings = self.reader().read(self.others.images)
        sure = [k for k, reading in enumerate(readings) if reading.text and reading.confidence >= SURE]
        if len(sure) < LEAST_SURE:
            return
        guessed = as_read(self.others, readings, sure)
        steps = self.config.steps or BASE_STEPS + len(guessed) // self.config.batch_size
        judged = self._judged()
        limit = (1 - FIRST_SHARE) * self.config.time_limit
        self._fit("unlabelled captchas", self._mixed(guessed), steps, SECOND_RATE, limit)
        if self._judged().accuracy < judged.accuracy:
            self.network.load_state_dict(judged.weights)

    def _guessed(self) -> TextSet:
        """The surer half of the captchas without a label as they are read; none where that is not to be trusted."""
        reader = self._plain()
        fitting = self.fitting.take(np.arange(min(len(self.fitting), MOST)))
        own = reader.read(fitting.images) if len(self.others) >= LEAST_SURE else []
        right = [own[k].text == fitting.texts[k] for k in surer(reader.classes, own)]
        if not right or np.mean(right) < TRUSTED:
            return self.others.take([])
        readings = reader.read(self.others.images)
        return as_read(self.others, readings, surer(reader.classes, readings))

    def _mixed(self, guessed: TextSet) -> Callable[[int], TextBatch]:
        """Batches of labelled captchas, half of them others as they were read where there are such."""
        size = self.config.batch_size
        half = size // 2 if len(guessed) else 0
        own = self._batches(self.fitting, size - half)
        if not half:
            return own
        other = self._batches(guessed, half)
        return lambda step: joined(own(step), other(step))

    def _judged(self) -> _Judged:
        figures = self.group.first(evaluation(self._plain(), self.validation) if self.group.leads else {})
        kept = {name: values.clone() for name, values in self.network.state_dict().items()}
        return _Judged(figures.get("validation_accuracy", 0.0), figures.get("validation_loss", 0.0), kept)

    def _plain(self) -> SequenceReader:
        return SequenceReader(self.network, self.facts)

    def _batches(self, part: TextSet, size: int) -> TextBatches:
        facts, config = self.facts, self.config
        augmentation = Augmentation() if config.augment else None
        return TextBatches(
            part.images, part.texts, facts.classes, facts.scaling, size, config.seed, augmentation
        )

    def _fit(
        self,
        phase: str,
        batches: Callable[[int], TextBatch],
        steps: int,
        rate: float,
        limit: float,
        cycle: int = 1,
    ) -> None:
        config, run, group, before = self.config, self.run, self.group, self.steps
        resume = run.resume.with_stem(f"resume-{phase.split()[0]}" + (f"-{cycle}" if cycle > 1 else ""))

        def part(step: int) -> TextBatch:
            batch = batches(step)
            return rows_of(batch, group.rows(len(batch.pictures)))

        def evaluated(figures: Figures) -> None:
            run.log(**{**figures, "step": before + figures["step"]}, phase=phase)
            if board is not None:
                board.readers(figures, before + round(figures["step"]))

        reached = self._reached(resume)
        board = open_board(run.tensorboard, reached) if group.leads and config.tensorboard else None
        state = fit(
            self.network,
            part,
            ctc_objective,
            FitConfig(
                steps=steps,
                learning_rate=rate,
                schedule="one-cycle",
                weight_decay=0.01,
                max_norm=5.0,
                time_limit=limit,
                evaluate_every=max(25, steps // 20),
                patience=steps,
                seed=config.seed,
            ),
            lambda: evaluation(self._plain(), self.validation),
            lambda figures: (figures["step"],),
            resume,
            evaluated,
            lambda done, total, loss: self.progress(
                f"training the sequence reader on {phase}", done, total, f"loss {loss:.3f}"
            ),
            group,
        )
        if board is not None:
            board.close()
        self.steps += state.step
        self.seconds += group.first(state.seconds)

    def _reached(self, resume: Path) -> int:
        """Steps done when this phase begins or goes on; lines of the history beyond them are dropped."""
        if not resume.is_file():
            return self.steps
        reached = self.steps + int(load_resume(resume)["state"]["step"])
        self.run.cut_history("step", reached)
        return reached


def _later(batches: Callable[[int], TextBatch], steps: int, step: int) -> TextBatch:
    """The batch of a step some steps later."""
    return batches(steps + step)


def _draw(run: Run) -> None:
    from captcha_lab.recognise.curves import draw_curves

    draw_curves(run.root / "curves.png", [line for line in run.history() if "step" in line])
