"""What `eval` measures with: the real data, the network that reads attributes, walks through a generator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from captcha_lab.pipeline.captchas import ensure_packed_file
from captcha_lab.pipeline.common import Say
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.evaluate.attributes import AttributeJudge
    from captcha_lab.evaluate.real import RealData
    from captcha_lab.evaluate.subject import Images
    from captcha_lab.generate.sample import Generator
    from captcha_lab.store.packed import PackedSet

STRIPS, STEPS = 4, 9  # walks through a generator, and pictures in each
LESS_THAN = 0.05  # above the commoner answer, on average: such a network hardly reads anything


def load_data(
    workspace: Workspace, folder: DatasetFolder, say: Say, seed: int
) -> tuple[RealData, PackedSet | None]:
    """The real data to compare with, and the whole packed set where it has classes.

    Sets without classes may be larger than memory: of these a random sample is taken, and said.

    Raises:
        CaptchaLabError: see `ensure_packed_file` and `RealData`.
    """
    from captcha_lab.evaluate.real import MOST_BYTES, RealData
    from captcha_lab.store.packed import open_packed, read_packed

    ensure_packed_file(workspace, folder, say)
    with open_packed(folder.packed_path) as (_, facts):
        rows, classes, shape = len(facts.split), facts.classes, facts.images.shape
    if classes:
        data = read_packed(folder.packed_path)
        return RealData.from_packed(data), data
    real = RealData.from_file(folder.packed_path, seed)
    if math.prod(shape) > MOST_BYTES:
        say(f"Compared with {len(real.train)} training and {len(real.held)} held-out pictures of {rows}.")
    return real, None


def ensure_attribute_judge(
    workspace: Workspace, folder: DatasetFolder, say: Say, progress: Callable[[str, int, int], None]
) -> tuple[AttributeJudge, list[str]]:
    """The attribute network of a packed set, trained once, and what the report should say of it.

    Raises:
        CaptchaLabError: too few pictures to train it on.
    """
    from captcha_lab.metrics.intervals import Share
    from captcha_lab.recognise.attributes_train import ensure_attributes

    said: list[bool] = []

    def tell(done: int, total: int) -> None:
        if not said:
            said.append(True)
            say("No attribute network of this dataset yet: training one (once).")
        progress("training the attribute network", done, total)

    reader, run = ensure_attributes(folder.packed_path, workspace.models, progress=tell)
    scores: list[dict[str, Any]] = next((line["scores"] for line in run.history() if line.get("summary")), [])
    if not scores:
        return reader, []
    right = sum(Share(*score["accuracy"]).value for score in scores) / len(scores)
    commoner = sum(score["majority"] for score in scores) / len(scores)
    notes = [
        f"Features and attributes are those of the attribute network {run.name}, trained on this dataset: it "
        f"reads {100 * right:.1f} % of held-out attributes rightly; always giving the commoner answer is right in "
        f"{100 * commoner:.1f} %."
    ]
    if right < commoner + LESS_THAN * (1 - commoner):
        notes.append("That is hardly better than guessing: figures in its features say little.")
    return reader, notes


def generator_strips(generator: Generator) -> list[Images]:
    """Walks from one sample to another; a labelled generator goes from one class, or set of attributes, to another."""
    import numpy as np

    strips = []
    for k in range(STRIPS):
        told: tuple[int, int] | np.ndarray | None = None
        if generator.labelled and generator.exclusive:
            told = (2 * k % len(generator.classes), (2 * k + 1) % len(generator.classes))
        elif generator.labelled:
            # From nothing to one attribute: what changes beside the noise is that attribute.
            told = np.zeros((2, len(generator.classes)), np.float32)
            told[1, k % len(generator.classes)] = 1
        strips.append(generator.walk(2 * k, 2 * k + 1, STEPS, told))
    return strips
