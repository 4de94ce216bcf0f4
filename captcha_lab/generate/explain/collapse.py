"""A GAN on a ring of eight Gaussians that covers few of them, and the same GAN with a remedy."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from captcha_lab.generate.explain.mixture import MODES, covered, perceptron, ring
from captcha_lab.generate.explain.topic import Explanation, Topic
from captcha_lab.generate.players.penalties import squared_gradients

STEPS, BATCH, NOISE, GAMMA = 1500, 128, 16, 0.1
MARKS = (300, 800, 1500)
REMEDY = "R1 penalty"


def explain(seed: int) -> Explanation:
    """The same networks, seed and number of steps, with and without a penalty on the critic's gradient at "
    "real data."""
    runs = {"plain": _train(0.0, seed), REMEDY: _train(GAMMA, seed)}
    modes = {name: [covered(samples) for samples in run] for name, run in runs.items()}
    marks = ", ".join(map(str, MARKS))
    plain, mended = modes["plain"], modes[REMEDY]
    outcome = (
        "So the remedy helped" if mended[-1] > plain[-1] else "With this seed the remedy made no difference"
    )
    paragraph = (
        f"A generator of two hidden layers is to learn {MODES} Gaussians on a ring. Trained with cross-entropy "
        f"alone it "
        f"covers {_listed(plain)} of them after {marks} steps. A generator that covers few modes has "
        f"collapsed: it puts "
        "its samples where the critic is weakest, and moves on when the critic has caught up. The remedy here is a "
        "penalty on the critic's gradient at real data (R1, Mescheder et al. 2018), which keeps the critic "
        "smooth: the "
        f"same generator, from the same first weights, covers {_listed(mended)}. {outcome}."
    )

    def draw(figure: Any) -> None:
        rows = figure.subplots(2, len(MARKS), sharex=True, sharey=True)
        real = ring(300)
        for row, (name, run) in zip(rows, runs.items(), strict=True):
            for axes, mark, samples, count in zip(row, MARKS, run, modes[name], strict=True):
                axes.scatter(*real.T, s=2, color="0.7")
                axes.scatter(*samples[:300].T, s=2)
                axes.set_title(f"{name}, step {mark}: {count} of {MODES}", fontsize="small")
                axes.set_xlim(-3, 3)
                axes.set_ylim(-3, 3)
                axes.set_aspect("equal")

    return Explanation(paragraph, {"steps": list(MARKS), "modes_covered": modes}, draw)


def _listed(counts: list[int]) -> str:
    return ", ".join(map(str, counts))


def _train(gamma: float, seed: int) -> list[Tensor]:
    """Samples [1000, 2] at each of the marks."""
    seen = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator, critic = perceptron(NOISE, 2), perceptron(2, 1)
        of_generator = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
        of_critic = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.999))
        for step in range(1, STEPS + 1):
            real = ring(BATCH).requires_grad_()
            fake = generator(torch.randn(BATCH, NOISE))
            score = critic(real)
            loss = F.softplus(-score).mean() + F.softplus(critic(fake.detach())).mean()
            if gamma:
                loss = loss + gamma / 2 * squared_gradients(score.sum(), [real]).mean()
            of_critic.zero_grad()
            loss.backward()
            of_critic.step()
            of_generator.zero_grad()
            F.softplus(-critic(fake)).mean().backward()
            of_generator.step()
            if step in MARKS:
                with torch.no_grad():
                    seen.append(generator(torch.randn(1000, NOISE)))
    return seen


TOPIC = Topic(
    "collapse",
    "a mixture of eight Gaussians: a GAN that covers few of them, and the same GAN with a remedy",
    "thesis, figures 4-7 and 4-10; PML, chapter 17; Mescheder et al. 2018",
    explain,
)
