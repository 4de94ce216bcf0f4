"""Generators of whole captchas: the text view is their data, and a reader of whole captchas judges their samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.pipeline.common import Say, find_model
from captcha_lab.progress import PhaseProgress, no_progress
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    import numpy as np

    from captcha_lab.generate.choose import Choice, Defaults
    from captcha_lab.generate.conditioning import TextCode
    from captcha_lab.generate.players.streams import ArrayStream
    from captcha_lab.generate.recipe import Recipe
    from captcha_lab.generate.watching.quality import TextQuality
    from captcha_lab.parallel import Group
    from captcha_lab.recognise.contract import CaptchaJudge
    from captcha_lab.store.packed.texts import TextSet

LEAST = 20  # labelled captchas, below which there is nothing to learn
LEAST_REAL = 16  # captchas to compare samples with
HARD = 0.96  # share of a picture's variance that two grey levels explain, from which its edges count as hard
FINE = 28  # pixels of height to which soft captchas are drawn: the larger, the slower
FEW = 0.05  # share of captchas that have colour, up to which all are taken for grey
EXAMINED = 200  # captchas looked at to choose a recipe and to find places, spread over all


@dataclass(frozen=True)
class WholeData:
    """What a generator of whole captchas trains on: labelled captchas, all of one size."""

    folder: DatasetFolder
    texts: TextSet
    condition = "texts"
    attributes: tuple[str, ...] = ()

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.folder.name

    @cached_property
    def training(self) -> TextSet:
        """The labelled captchas of the training split.

        Raises:
            CaptchaLabError: too few.
        """
        training = self.texts.part("train")
        if len(training) < LEAST:
            raise CaptchaLabError(
                f"A generator of whole captchas needs at least {LEAST} labelled captchas to train on, and the dataset "
                f"{self.dataset} has {len(training)}: run `captcha-lab label --review`, or import labelled ones."
            )
        return training

    @cached_property
    def images(self) -> np.ndarray:
        """Those captchas, uint8 [N, H, W] or [N, H, W, 3], at the size that most of them have."""
        return stacked(self.training)

    @cached_property
    def code(self) -> TextCode:
        """How its texts are written as conditions."""
        from captcha_lab.generate.conditioning import TextCode

        texts = self.training.texts
        return TextCode(tuple(sorted(set("".join(texts)))), max(map(len, texts)))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, 3)."""
        return self.images.shape[1:]

    @cached_property
    def defaults(self) -> Defaults:
        """The recipe that is meant where none is named: one for hard edges on blank paper, or one for all else."""
        from captcha_lab.generate.choose import WHOLE, WHOLE_SOFT

        return WHOLE if two_levels(self.images[self._examined]) >= HARD else WHOLE_SOFT

    def recipe(self, choice: Choice) -> Recipe:
        """The recipe of a choice for this data (see `generate.choose.choose` for errors).

        Raises:
            UsageError: also where no text is to be asked for.
        """
        import numpy as np

        from captcha_lab.generate.choose import choose

        if choice.label is False:
            raise UsageError("--whole draws captchas from their texts: leave --no-label away.")
        recipe = choose(replace(choice, label=True), labelled=True, defaults=self.defaults)
        if recipe.network != "whole":
            return recipe
        dark = bool(np.median(self.images[self._examined]) < 128)
        coarse = 1 if recipe.options.get("crisp", True) else max(1, round(self.image_shape[0] / FINE))
        seen = {"paper": 0.0 if dark else 1.0, "coarse": coarse, "centres": self.centres}
        return replace(recipe, options={**seen, **recipe.options})

    @cached_property
    def centres(self) -> tuple[tuple[float, ...], ...]:
        """Where its characters stand (see `recognise.centres.mean_centres`), as the base reader finds them."""
        from captcha_lab.recognise.centres import mean_centres
        from captcha_lab.recognise.sequence.reader import base_reader

        rows = self._examined
        texts = [self.training.texts[row] for row in rows]
        return mean_centres(base_reader(), list(self.images[rows]), texts)

    @cached_property
    def _examined(self) -> np.ndarray:
        """Row numbers of some captchas of the whole set, whose order may be that of their texts."""
        import numpy as np

        count = len(self.training)
        return np.linspace(0, count - 1, min(count, EXAMINED)).round().astype(int)

    @contextmanager
    def stream(self, recipe: Recipe, seed: int, group: Group) -> Iterator[ArrayStream]:
        """The stream of one run."""
        from captcha_lab.generate.players.streams import ArrayStream

        yield ArrayStream(self.images, texts=self.training.texts, seed=seed, group=group)

    def ensure_judge(
        self, workspace: Workspace, folder: DatasetFolder, say: Say, progress: PhaseProgress
    ) -> None:
        """Train the reader of whole captchas that judges samples, where there is none yet."""
        whole_reader(workspace, folder, say, progress=progress)

    def judge(
        self, workspace: Workspace, say: Say, name: str | None = None
    ) -> tuple[TextQuality | None, str | None]:
        """The reader of whole captchas in use (or a named one) as judge of samples while training, and its run."""
        from captcha_lab.generate.watching.quality import TextQuality

        held = self.texts.part("validation")
        real = stacked(held if len(held) >= LEAST_REAL else self.training, self.image_shape)
        if len(real) < LEAST_REAL:
            return None, None
        reader, run = whole_reader(workspace, self.folder, say, name)
        return TextQuality(reader, real, self.code), run


def whole_data(workspace: Workspace, folder: DatasetFolder) -> WholeData:
    """The text view of a dataset of captchas.

    Raises:
        CaptchaLabError: there is none.
    """
    from captcha_lab.datasets.captcha import load_texts

    if not folder.catalog_path.exists():
        raise CaptchaLabError(
            f"The dataset {folder.name} holds no captchas to draw whole: run `captcha-lab scrape` or `captcha-lab "
            "import`, or leave --whole away."
        )
    return WholeData(folder, load_texts(folder))


def whole_reader(
    workspace: Workspace,
    folder: DatasetFolder,
    say: Say,
    name: str | None = None,
    progress: PhaseProgress = no_progress,
) -> tuple[CaptchaJudge, str]:
    """A trained sequence reader of the dataset and its run: the named one, the best validated, or a new one."""
    from captcha_lab.pipeline.models import dataset_of, score_of
    from captcha_lab.pipeline.training import train
    from captcha_lab.recognise.sequence.reader import KIND, SequenceReader
    from captcha_lab.store.runs import all_runs

    if name is not None:
        path = find_model(workspace, name, "recogniser")
        return SequenceReader.load(path), path.name
    runs = [
        run
        for run in all_runs(workspace.models, "recogniser")
        if run.weights.is_file() and run.config().get("reader") == KIND and dataset_of(run) == folder.name
    ]
    scores = {run.name: score_of(run) for run in runs}
    rated = [run for run in runs if scores[run.name] is not None]
    if rated:
        best = max(rated, key=lambda run: (scores[run.name] or (0, 0)).low)  # type: ignore[union-attr]
    elif runs:
        best = runs[-1]
    else:
        say(
            "Training a reader of whole captchas first: it judges the samples, and chooses which weights are kept."
        )
        best = train(workspace, folder, reader=KIND, say=say, progress=progress).chosen.run
    return SequenceReader.load(best.root), best.name


def stacked(texts: TextSet, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Captchas as one array, uint8 [N, H, W], or [N, H, W, 3] where more than a few have colour.

    Args:
        texts: the captchas.
        shape: (H, W) or (H, W, 3) to bring them to; None: the size that most of them have.
    """
    from collections import Counter

    import cv2
    import numpy as np

    colours = FEW * len(texts) < sum(map(has_colour, texts.images))
    colour = colours if shape is None else len(shape) == 3
    if shape is None:
        shape = Counter(image.shape[:2] for image in texts.images).most_common(1)[0][0]
    height, width = shape[:2]
    made = np.empty((len(texts), height, width, *((3,) if colour else ())), np.uint8)
    for row, image in zip(made, texts.images, strict=True):
        if image.shape[:2] != (height, width):
            smaller = image.shape[0] > height
            image = cv2.resize(
                image, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            )
        if colour and image.ndim == 2:
            image = image[..., None]
        elif not colour and image.ndim == 3:
            image = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        row[...] = image
    return made


def has_colour(image: np.ndarray, least: int = 8) -> bool:
    """Whether the channels of a picture, uint8 [H, W] or [H, W, 3], differ by more than compression makes them."""
    return image.ndim == 3 and int((image.max(2).astype(int) - image.min(2)).max()) > least


def two_levels(images: np.ndarray) -> float:
    """Share of pictures' variance that two grey levels explain, the median: 1 for hard ink on blank paper.

    It is what Otsu (1979, section II) maximises, eta at the best threshold.

    Args:
        images: uint8 [N, H, W] or [N, H, W, 3]; colour counts as hard by its grey levels.
    """
    import cv2
    import numpy as np

    found = []
    for image in images:
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
        high, values = grey > threshold, grey.astype(np.float64)
        share = float(high.mean())
        if 0 < share < 1:
            between = share * (1 - share) * (values[high].mean() - values[~high].mean()) ** 2
            found.append(between / values.var())
    return float(np.median(found)) if found else 1.0
