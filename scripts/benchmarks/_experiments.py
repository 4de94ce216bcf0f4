"""Small runs that the claims are tested on: what is trained on what, how long, and what is read off the run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from captcha_lab.generate.choose import Choice
from captcha_lab.generate.explain.mixture import covered, ring
from captcha_lab.generate.sampling.sample import load_generator
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.watching.weights import run_layer_weights, share_at_limit
from captcha_lab.store.packed.packed import PackedSet, write_packed
from captcha_lab.store.runs import Run
from captcha_lab.store.workspace import DatasetFolder, Workspace
from scripts.benchmarks._generators import fetched, trained_run
from scripts.benchmarks._pictures import sheet

SPAN = 3.0  # the ring's points lie in [-3, 3]; a pixel is one coordinate
POINTS = 4000
SAMPLES = 512  # of each evaluation

NARROW = ('options={"channels":8,"hidden":128}',)  # an eighth of the thesis's widths
BARE = ('options={"channels":8,"hidden":128,"critic_norm":"none","generator_norm":"none"}',)
DIGITS = ('options={"generator":[256,256]}',)
RING = (
    'options={"generator":[64,64],"critic":[64,64]}',
    "noise_size=16", "output_range=[-1,1]", "batch_size=64", "critic_steps=1", "learning_rate=0.001",
)  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """One recipe, changed as `train-gen --set` changes it, on one dataset for a number of iterations."""

    name: str
    recipe: str
    dataset: str
    """captcha, mnist, or ring: eight Gaussians in the plane as pictures of two pixels."""
    iterations: int
    changes: tuple[str, ...] = ()
    evaluations: int = 10

    def run(self, seed: int) -> str:
        """The name of its run with a seed."""
        return f"{self.name}-{self.iterations}-{seed}"


def _narrow(name: str, iterations: int, evaluations: int = 10) -> Arm:
    return Arm(name, name, "captcha", iterations, NARROW, evaluations)


ARMS = {
    arm.name: arm
    for arm in (
        _narrow("dcgan", 800, 8),
        _narrow("dcgan-printed", 800, 8),
        _narrow("wdcgan", 460, 23),
        _narrow("wdcgan-update", 300, 10),
        _narrow("wdcgan-label", 460, 10),
        _narrow("wdcgan-gp", 300, 10),
        Arm("dcgan-bare", "dcgan", "captcha", 400, BARE, 4),
        Arm("wdcgan-bare", "wdcgan", "captcha", 460, BARE, 4),
        Arm("gan-fc-printed", "gan-fc-printed", "captcha", 600, (), 4),
        Arm("gan-fc", "gan-fc", "captcha", 1500, (), 15),
        Arm("wgan-fc", "wgan-fc", "captcha", 1500, (), 15),
        Arm("wgan-fc-gp", "wgan-fc-gp", "captcha", 794, (), 8),
        Arm("digits-beta-5", "cs231n-gan", "mnist", 600, DIGITS, 4),
        Arm("digits-beta-9", "cs231n-gan", "mnist", 600, (*DIGITS, "beta1=0.9"), 4),
        Arm("ring", "gan-fc", "ring", 1000, RING, 1),
        Arm("ring-minibatch", "gan-fc", "ring", 1000,
            ('options={"generator":[64,64],"critic":[64,64],"minibatch":16}', *RING[1:]), 1),
        Arm("ring-feature-matching", "gan-fc", "ring", 1000, (*RING, "feature_matching=1.0"), 1),
        Arm("ring-replay", "gan-fc", "ring", 1000, (*RING, "replay=0.5"), 1),
    )
}  # fmt: skip


class Record:
    """What is read off a finished run."""

    def __init__(self, arm: Arm, run: Run) -> None:
        self.arm, self.run = arm, run

    @cached_property
    def _lines(self) -> list[dict[str, Any]]:
        return self.run.history()

    @cached_property
    def evaluations(self) -> list[int]:
        """Iterations at which samples were evaluated."""
        return [line["iteration"] for line in self._lines if line["kind"] == "evaluation"]

    def at(self, iteration: int) -> dict[str, float]:
        """The figures of the evaluation nearest to an iteration."""
        lines = [line for line in self._lines if line["kind"] == "evaluation"]
        return min(lines, key=lambda line: abs(line["iteration"] - iteration))

    @property
    def last(self) -> dict[str, float]:
        """The figures of the last evaluation."""
        return self.at(self.arm.iterations)

    def near(self, iteration: int, figure: str) -> float:
        """The mean of a training figure over the evaluation's interval before an iteration."""
        before = iteration - self.evaluations[0]
        values = [
            line[figure] for line in self._lines
            if line["kind"] == "train" and before < line["iteration"] <= iteration
        ]  # fmt: skip
        return float(np.mean(values))

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The last critic's weights by layer."""
        return run_layer_weights(self.run)

    def at_limit(self, limit: float) -> float:
        """The share of all the critic's weights that lie at a clip's limits."""
        return share_at_limit(np.concatenate(list(self.weights().values())), limit)

    @property
    def constrained(self) -> bool:
        """Whether a clip or a penalty holds the critic."""
        recipe = self.run.config()["recipe"]
        return bool(recipe["clip"] or recipe["gradient_penalty"])

    def sheet(self) -> np.ndarray:
        """Samples of the kept weights as one picture."""
        return sheet(self.run.root)

    def modes(self) -> int:
        """How many of the ring's eight modes the last generator covers, in a run that is evaluated at its end alone."""
        pixels = load_generator(self.run.root).sample(count=2000).reshape(-1, 2)
        return covered(torch.from_numpy((pixels / 255 * 2 - 1) * SPAN).float())


class Runs:
    """The runs in a workspace, trained when they are first asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._records: dict[tuple[str, int], Record] = {}

    def has(self, arm: str, seed: int) -> bool:
        """Whether the run is finished."""
        return (self.workspace.models / ARMS[arm].run(seed) / "summary.json").is_file()

    def record(self, arm: str, seed: int) -> Record:
        """The arm's run with a seed."""
        if (arm, seed) not in self._records:
            made = ARMS[arm]
            config = GeneratorConfig(
                seed=seed, iterations=made.iterations, evaluations=made.evaluations, samples=SAMPLES,
                threads=1, precision="float32", tensorboard=False,
            )  # fmt: skip
            folder = (
                _ring(self.workspace) if made.dataset == "ring" else fetched(self.workspace, made.dataset)
            )
            choice = Choice(recipe=made.recipe, changes=made.changes)
            run = trained_run(self.workspace, folder, choice, config, made.run(seed))
            self._records[arm, seed] = Record(made, run)
        return self._records[arm, seed]


def _ring(workspace: Workspace) -> DatasetFolder:
    """Eight Gaussians as pictures: uint8 [N, 1, 2]."""
    folder = workspace.dataset("ring")
    if not folder.packed_path.exists():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            points = ring(POINTS).clamp(-SPAN, SPAN)
        pixels = ((points / SPAN + 1) / 2 * 255).round().to(torch.uint8).numpy()[:, None, :]
        folder.packed_path.parent.mkdir(parents=True, exist_ok=True)
        write_packed(folder.packed_path, PackedSet(pixels, np.zeros(POINTS, np.uint8)))
    return folder
