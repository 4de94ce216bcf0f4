"""What a generator trains on: a packed set or whole captchas, the recipe that suits it, and who judges its samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.pipeline.captchas import ensure_packed_file
from captcha_lab.pipeline.common import Say
from captcha_lab.progress import PhaseProgress
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.generate.choose import Choice, Defaults
    from captcha_lab.generate.players.streams import PackedStream
    from captcha_lab.generate.recipe import Recipe
    from captcha_lab.generate.watching.quality import RecogniserQuality
    from captcha_lab.parallel import Group
    from captcha_lab.pipeline.whole import WholeData

CLASS_SIZE = 10  # images of a class, on average; below it a class is no condition unless one is asked for
PAPER_FROM = 256  # images whose median brightness is taken for that of the paper


@dataclass(frozen=True)
class GeneratorData:
    """What a generator trains on: a packed file, and which of its columns are the condition."""

    path: Path
    dataset: str
    condition: str
    """classes, attributes or none: what the data offers a conditional generator."""
    image_shape: tuple[int, ...]
    dark: bool
    """Light ink on dark paper."""
    captchas: bool
    attributes: tuple[str, ...] = ()
    sparse: bool = False
    """Its classes have too few images each to be learnt, as persons have in a collection of faces."""

    def recipe(self, choice: Choice) -> Recipe:
        """The recipe of a choice for this data (see `generate.choose.choose` for errors).

        With nothing said about labels: attributes that are named are a condition; forty that merely exist are none,
        nor are classes of a few images each.
        """
        from captcha_lab.generate.choose import choose

        if self.condition == "none" and choice.label:
            hint = ": run `captcha-lab label --review` first" if self.captchas else ""
            raise UsageError(
                f"--label needs labels, and the dataset {self.dataset} has none{hint}, or train with --no-label."
            )
        if self.condition == "none":
            choice = replace(choice, label=False)
        elif self.condition == "attributes" and choice.label is None:
            if self.attributes:
                choice = replace(choice, label=True)
            elif choice.recipe is None:
                choice = replace(choice, label=False)
        elif self.sparse and choice.label is None and choice.recipe is None:
            choice = replace(choice, label=False)
        return choose(choice, labelled=self.condition != "none", defaults=self.defaults)

    def ensure_judge(
        self, workspace: Workspace, folder: DatasetFolder, say: Say, progress: PhaseProgress
    ) -> None:
        """Train the recogniser that judges samples, where there is none yet (see `ensure_judging_recogniser`)."""
        ensure_judging_recogniser(workspace, folder, self, say, progress)

    def judge(
        self, workspace: Workspace, say: Say, name: str | None = None
    ) -> tuple[RecogniserQuality | None, str | None]:
        """What judges samples while training, and its run (see `recogniser_quality`)."""
        return recogniser_quality(workspace, self, say, name)

    @property
    def defaults(self) -> Defaults:
        """What is meant where no recipe is named."""
        from captcha_lab.generate.choose import defaults_for

        return defaults_for(self.image_shape, self.dark)

    def stream(self, recipe: Recipe, seed: int, group: Group) -> PackedStream:
        """The stream of one run, with the conditions that the recipe needs."""
        from captcha_lab.datasets.batches import BatchOptions
        from captcha_lab.generate.players.streams import PackedStream

        condition = self.condition if recipe.labelled else "partial" if recipe.uses_labels else "none"
        options = BatchOptions(
            condition=condition, attributes=self.attributes, seed=seed, rank=group.rank, world=group.world
        )
        return PackedStream(self.path, options)


def generator_data(
    workspace: Workspace,
    folder: DatasetFolder,
    group: Group,
    say: Say,
    attributes: tuple[str, ...] = (),
) -> GeneratorData:
    """Pack the dataset where that is needed (the first process does it), and see what labels it has.

    Raises:
        CaptchaLabError: see `ensure_packed_file`.
    """
    if group.leads:
        ensure_packed_file(workspace, folder, say)
    group.wait()
    return packed_condition(folder, attributes)


def run_data(
    workspace: Workspace,
    folder: DatasetFolder,
    group: Group,
    say: Say,
    attributes: tuple[str, ...] = (),
    *,
    whole: bool = False,
) -> GeneratorData | WholeData:
    """What a run trains on: single pictures (see `generator_data`), or whole captchas with their texts.

    Raises:
        CaptchaLabError: there is no such data.
        UsageError: attributes of whole captchas.
    """
    if not whole:
        return generator_data(workspace, folder, group, say, attributes)
    if attributes:
        raise UsageError("Whole captchas have texts, not attributes: leave --attributes away.")
    from captcha_lab.pipeline.whole import whole_data

    if group.leads:
        whole_data(workspace, folder)  # packs the text view
    group.wait()
    return whole_data(workspace, folder)


def packed_condition(folder: DatasetFolder, attributes: tuple[str, ...]) -> GeneratorData:
    """What a packed dataset offers a conditional generator: classes, else attributes, else nothing.

    Raises:
        CaptchaLabError: the packed file can't be read.
        UsageError: attributes are asked for, and it has none.
    """
    import numpy as np

    from captcha_lab.store.packed.packed import SPLITS, UNLABELLED, open_packed

    with open_packed(folder.packed_path) as (_, facts):
        if attributes and facts.attributes is None:
            raise UsageError(f"The dataset {folder.name} has no attributes: leave --attributes away.")
        train = facts.split[()] == SPLITS.index("train")
        labels = np.full(0, UNLABELLED) if facts.labels is None else facts.labels[()][train]
        labels = labels[labels != UNLABELLED]
        if len(labels) and not attributes:
            condition = "classes"
        else:
            condition = "none" if facts.attributes is None else "attributes"
        shape, captchas = facts.images.shape[1:], facts.info.get("kind") == "captcha"
        dark = bool(np.median(facts.images[:PAPER_FROM]) < 128)
        sparse = not captchas and condition == "classes" and len(labels) < CLASS_SIZE * len(np.unique(labels))
    return GeneratorData(
        folder.packed_path, folder.name, condition, shape, dark, captchas, attributes, sparse
    )


def recogniser_quality(
    workspace: Workspace, data: GeneratorData, say: Say, name: str | None = None
) -> tuple[RecogniserQuality | None, str | None]:
    """The recogniser in use (or a named one) as judge of samples while training, and its run; None without one.

    A recogniser that reads other classes or another size is no judge.
    """
    from captcha_lab.generate.watching.quality import RecogniserQuality
    from captcha_lab.recognise.classifier import Classifier, fitting_classifier
    from captcha_lab.store.packed.packed import open_packed

    with open_packed(data.path) as (_, facts):
        shape, classes = facts.images.shape[1:], facts.classes
    found = fitting_classifier(workspace.models, classes, shape)
    root = workspace.models / name if name else found[1].root if found else None
    if root is None:
        if data.captchas or (
            data.condition == "classes" and not data.sparse
        ):  # `train` needs classes to learn
            say("No recogniser yet (`captcha-lab train` makes one): pixels alone choose the best weights.")
        return None, None
    recogniser = Classifier.load(root)
    with open_packed(data.path) as (_, facts):
        shape, classes = facts.images.shape[1:], facts.classes
        if shape != (recogniser.size, recogniser.size) or (classes and classes != recogniser.classes):
            return None, None
        rows = (facts.split[()] == 1).nonzero()[0]
        real = facts.images[()][rows if len(rows) >= 64 else slice(None)][:2000]
    if len(real) < 16:
        return None, None
    return RecogniserQuality(recogniser, real), root.name


def ensure_judging_recogniser(
    workspace: Workspace, folder: DatasetFolder, data: GeneratorData, say: Say, progress: PhaseProgress
) -> None:
    """Train the recogniser that judges samples, where captchas have labels for it and there is none yet."""
    from captcha_lab.pipeline.training import train
    from captcha_lab.recognise.classifier import fitting_classifier
    from captcha_lab.store.packed.packed import open_packed

    if not data.captchas or data.condition != "classes":
        return
    with open_packed(data.path) as (_, facts):
        found = fitting_classifier(workspace.models, facts.classes, facts.images.shape[1:])
    if found is None:
        say("Training the recogniser first: it judges the samples, and chooses which weights are kept.")
        try:
            train(workspace, folder, reader="glyph", say=say, progress=progress)
        except CaptchaLabError as error:
            say(f"It could not be trained: {error}")
