"""What `eval` measures with: the real data, and the network that reads attributes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import CaptchaLabError
from captcha_lab.pipeline.captchas import ensure_packed_file
from captcha_lab.pipeline.common import Say
from captcha_lab.progress import PhaseProgress
from captcha_lab.store.workspace import DatasetFolder, Workspace

if TYPE_CHECKING:
    from captcha_lab.evaluate.generators.attributes import AttributeJudge
    from captcha_lab.evaluate.real import RealData
    from captcha_lab.store.packed.packed import PackedSet

LESS_THAN = 0.05  # above the commoner answer, on average: such a network hardly reads anything


@dataclass(frozen=True)
class EvaluationData:
    """What there is to measure with.

    Attributes:
        packed: the whole packed set where it has classes, in memory.
        real: images to compare samples with; None where they can't be compared.
        problem: why they can't be, as a sentence; empty where they can.
    """

    packed: PackedSet | None
    real: RealData | None
    problem: str = ""

    @property
    def labelled(self) -> bool:
        """Whether readings have classes to be compared with."""
        if self.real is not None:
            return self.real.labelled
        return self.packed is not None and self.packed.part("test", labelled=True).labels is not None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty without labels."""
        return (
            self.real.classes
            if self.real is not None
            else self.packed.classes
            if self.packed is not None
            else ()
        )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, 3)."""
        if self.real is not None:
            return self.real.image_shape
        return () if self.packed is None else tuple(self.packed.images.shape[1:])


def load_data(workspace: Workspace, folder: DatasetFolder, say: Say, seed: int) -> EvaluationData:
    """The real data to compare with, and the whole packed set where it has classes.

    Sets without classes may be larger than memory: of these a random sample is taken, and said.

    Raises:
        CaptchaLabError: see `ensure_packed_file`; or a set without classes has nothing held out.
    """
    from captcha_lab.evaluate.real import MOST_BYTES, RealData
    from captcha_lab.store.packed.packed import open_packed, read_packed

    ensure_packed_file(workspace, folder, say)
    with open_packed(folder.packed_path) as (_, facts):
        rows, classes, shape = len(facts.split), facts.classes, facts.images.shape
    if classes:
        data = read_packed(folder.packed_path)
        try:
            return EvaluationData(data, RealData.from_packed(data))
        except CaptchaLabError as error:
            return EvaluationData(data, None, str(error))
    real = RealData.from_file(folder.packed_path, seed)
    if math.prod(shape) > MOST_BYTES:
        say(f"Compared with {len(real.train)} training and {len(real.held)} held-out pictures of {rows}.")
    return EvaluationData(None, real)


def ensure_attribute_judge(
    workspace: Workspace, folder: DatasetFolder, say: Say, progress: PhaseProgress
) -> tuple[AttributeJudge, list[str]]:
    """The attribute network of a packed set, trained once, and what the report should say of it.

    Raises:
        CaptchaLabError: too few pictures to train it on.
    """
    from captcha_lab.metrics.intervals import Share
    from captcha_lab.recognise.attributes.train import ensure_attributes

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
