"""Proposals for whole captchas: the base reader or one of the workspace, whichever validates best, trained on."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.questions.texts.proposer import Pixels, TrainedProposer
from captcha_lab.pipeline.common import Say

if TYPE_CHECKING:
    import numpy as np

    from captcha_lab.recognise.contract import CaptchaReader
    from captcha_lab.recognise.sequence.reader import SequenceReader
    from captcha_lab.store.workspace import DatasetFolder, Workspace

KIND = "sequence"  # the kind of reader that learns whole pictures
HELD_OUT = 10  # every so many labelled captchas one is held out, to choose weights and to calibrate
ENOUGH = 40  # labelled captchas below which none is held out
STEPS = 200  # batches of each training: about a minute of an idle core
LEAST_JUDGED = 10  # labelled captchas, below which no reader is preferred to the base reader
MOST_JUDGED = 200  # that are read to compare readers
MOST_RUNS = 4  # of the workspace that are compared


@dataclass
class Starts:
    """Readers that proposals can start from, and the one that reads this dataset's labelled captchas best.

    Attributes:
        runs: run folders of the workspace, by name.
        own: names of those that were trained on this dataset, which know the labels of its training split.
        say: told which reader is taken, and why.
        chosen: name of the run taken; empty for the base reader.
        taught: the base reader trained on the captchas that it reads surely, once that has helped.
    """

    runs: Mapping[str, Path] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    say: Say = lambda message: None
    chosen: str = ""
    taught: SequenceReader | None = None

    def choose(self, pictures: Sequence[np.ndarray], texts: Sequence[str], names: Sequence[str]) -> None:
        """Take the reader of these runs, or the base reader, that reads most of these labelled captchas right.

        The base reader stays unless another one reads more; too few captchas decide nothing.
        """
        pictures, texts = pictures[:MOST_JUDGED], texts[:MOST_JUDGED]
        if not names or len(texts) < LEAST_JUDGED:
            return
        right = {name: self._right(name, pictures, texts) for name in ("", *names)}
        best = max(right, key=lambda name: (right[name], name == ""))
        if best != self.chosen:
            figures = ", ".join(f"{name or 'the base reader'} {count}" for name, count in right.items())
            self.say(
                f"Proposals come from {best or 'the base reader'}. Of {len(texts)} labelled captchas read right: "
                f"{figures}."
            )
        self.chosen = best

    def start(self, pictures: Sequence[np.ndarray]) -> CaptchaReader:
        """The reader taken, before it learns from labels."""
        return self._reader(self.chosen, pictures)

    def teach(self, pictures: Sequence[np.ndarray]) -> CaptchaReader | None:
        """The base reader trained on what it reads surely; None where that does not help, or another is taken."""
        from captcha_lab.recognise.sequence.adapt import ENOUGH, self_taught
        from captcha_lab.recognise.sequence.reader import base_reader

        if not self.chosen and len(pictures) >= ENOUGH:
            self.taught = self_taught(base_reader(), pictures)
        return None if self.chosen else self.taught

    def learned(self, images: list[np.ndarray], texts: list[str]) -> CaptchaReader:
        """The reader taken, trained on labelled captchas and on those without a label ("") that it reads surely."""
        if self.chosen not in self.own:  # no label of this dataset is known to the others
            known = [row for row, text in enumerate(texts) if text]
            strangers = [name for name in self.runs if name not in self.own]
            self.choose([images[k] for k in known], [texts[k] for k in known], strangers)
        path = self.runs.get(self.chosen)
        start = str(path) if path is not None and self.start(images[:1]).kind == KIND else ""
        taught = self.taught  # which has forgotten the characters that it did not see, unlike the base reader
        forgotten = taught is not None and not set("".join(texts)) <= set(taught.classes)
        return _trained(images, texts, start, None if forgotten else taught)

    def _right(self, name: str, pictures: Sequence[np.ndarray], texts: Sequence[str]) -> int:
        readings = self._reader(name, pictures).read(pictures)
        return sum(found.text == text for found, text in zip(readings, texts, strict=True))

    def _reader(self, name: str, pictures: Sequence[np.ndarray]) -> CaptchaReader:
        from captcha_lab.recognise.registry import load_reader
        from captcha_lab.recognise.sequence.adapt import adapted
        from captcha_lab.recognise.sequence.reader import base_reader

        return load_reader(self.runs[name]) if name else adapted(base_reader(), pictures)


def text_proposer(pixels: Pixels, starts: Starts | None = None) -> TrainedProposer | None:
    """Proposals by a reader that learns from labels; None where no kind of reader learns whole pictures.

    Args:
        pixels: gives a captcha's picture by its id.
        starts: what the reader can start from; the base reader alone where None.
    """
    from captcha_lab.recognise.registry import reader_kinds

    if KIND not in reader_kinds():
        return None
    starts = starts or Starts()
    name = starts.chosen or "the base reader"
    return TrainedProposer(pixels, starts.start, starts.learned, name, starts.teach)


def starts_of(
    workspace: Workspace, folder: DatasetFolder, pixels: Pixels, say: Say = lambda message: None
) -> Starts:
    """What proposals for a dataset can start from: the best validated run of each dataset, this one's first.

    A run of this dataset is held against the base reader on captchas of the validation and test split, whose labels
    it did not learn.
    """
    from captcha_lab.datasets.captcha import split_of
    from captcha_lab.pipeline.models import choose_run, dataset_of
    from captcha_lab.recognise.registry import load_reader
    from captcha_lab.store.catalog.catalog import Catalog
    from captcha_lab.store.catalog.labels import LabelLog
    from captcha_lab.store.packed.packed import SPLITS
    from captcha_lab.store.runs import all_runs

    datasets = {dataset_of(run) for run in all_runs(workspace.models, "recogniser")}
    runs: dict[str, Path] = {}
    own: set[str] = set()
    for dataset in sorted(datasets, key=lambda name: (name != folder.name, name))[:MOST_RUNS]:
        chosen = choose_run(workspace, "recogniser", dataset) if dataset else None
        if chosen is None:
            continue
        try:
            load_reader(chosen.run.root)
        except CaptchaLabError:  # of single pictures, or damaged: it proposes nothing
            continue
        runs[chosen.run.name] = chosen.run.root
        own |= {chosen.run.name} if dataset == folder.name else set()
    starts = Starts(runs, frozenset(own), say)
    if not runs:
        return starts
    with Catalog(folder.catalog_path, create=False) as catalog:
        texts = LabelLog(catalog).texts()
        rows = [row for row in catalog.images() if row.id in texts]
        unseen = [row.id for row in rows if not own or split_of(row, 0) != SPLITS.index("train")]
    known = [(picture, texts[k]) for k in unseen[:MOST_JUDGED] if (picture := pixels(k)) is not None]
    starts.choose([picture for picture, _ in known], [text for _, text in known], list(runs))
    return starts


def _trained(
    images: list[np.ndarray], texts: list[str], start: str, base: SequenceReader | None
) -> CaptchaReader:
    """A sequence reader that learned from the captchas with a text.

    Args:
        images: uint8 [H, W] or [H, W, 3] each.
        texts: of each; "" where it is not known.
        start: run folder of a reader to start from, all of whose characters stay readable; empty for none.
        base: the reader to start from elsewhere; None for the base reader.
    """
    import numpy as np

    from captcha_lab.recognise.registry import load_reader
    from captcha_lab.recognise.sequence.config import SequenceConfig
    from captcha_lab.recognise.sequence.train import train
    from captcha_lab.store.packed.packed import SPLITS
    from captcha_lab.store.packed.texts import TextSet

    split = np.full(len(texts), SPLITS.index("train"), np.uint8)
    known = [row for row, text in enumerate(texts) if text]
    if len(known) >= ENOUGH:
        split[known[HELD_OUT - 1 :: HELD_OUT]] = SPLITS.index("validation")
    rows, unmarked = np.arange(len(texts)), np.zeros(len(texts), np.uint8)
    data = TextSet(images, tuple(texts), split, rows, unmarked, {"dataset": "labelling"})
    config = SequenceConfig(steps=STEPS, tensorboard=False, start=start)
    with tempfile.TemporaryDirectory(prefix="captcha-lab-") as place:
        return load_reader(train(data, Path(place), config, base=base).run.root)
