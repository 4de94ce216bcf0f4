"""How a critic's weights are spread: a clip drives them to its limits, a gradient penalty does not.

The picture of Gulrajani et al. 2017 (figure 1b) and of the thesis's Wasserstein chapter.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.extras import available
from captcha_lab.store.files import atomic_path
from captcha_lab.store.runs import Run, load_weights

CRITIC = "critic.safetensors"  # a finished run's last critic


def critic_weights(critic: Mapping[str, torch.Tensor]) -> NDArray[np.float32]:
    """All connection weights of a critic's state in one row; biases, norms and running statistics left out.

    Args:
        critic: a state dictionary.

    Returns:
        float32 [M].

    Raises:
        UsageError: there is no weight of two or more dimensions.
    """
    found = [t.detach().float().cpu().numpy().ravel() for t in critic.values() if t.ndim >= 2]
    if not found:
        raise UsageError("This state holds no weights: give a critic's.")
    return np.concatenate(found)


def run_critic_weights(run: Run) -> NDArray[np.float32]:
    """The weights of a finished run's critic (see `critic_weights`).

    Raises:
        CaptchaLabError: the run has not finished, or its recipe has no critic.
    """
    if not (run.root / CRITIC).is_file():
        raise CaptchaLabError(
            f"The run {run.name} has no {CRITIC}: let it finish (`captcha-lab train-gen --resume {run.name}`); "
            "recipes without a critic, and runs stopped by NaN, have none."
        )
    return critic_weights(load_weights(run.root / CRITIC)[0])


def share_at_limit(weights: NDArray[np.floating], limit: float, within: float = 0.01) -> float:
    """The share of weights whose size is the limit's, to `within` (a share of the limit).

    Raises:
        UsageError: a limit that is not above 0.
    """
    if limit <= 0:
        raise UsageError(f"A limit of {limit:g} holds no weights: give one above 0.")
    return float(np.mean(np.abs(np.abs(weights) - limit) <= within * limit))


def save_weight_histograms(path: Path, critics: Mapping[str, NDArray[np.floating]], limit: float) -> None:
    """Draw the histograms of several critics' weights side by side, each with its share at the clip's limits.

    Nothing is drawn without matplotlib.

    Args:
        path: the picture, PNG or SVG.
        critics: a title and weights [M] for each.
        limit: the clip's limit, drawn as dotted lines.

    Raises:
        UsageError: no critics, or no limit above 0.
    """
    if not available("matplotlib"):
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not critics:
        raise UsageError("There are no critics to draw: give one at least.")
    figure = Figure(figsize=(3.6 * len(critics), 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(critics), squeeze=False)[0]
    for axes, (title, weights) in zip(panels, critics.items(), strict=True):
        share = share_at_limit(weights, limit)
        span = max(float(np.abs(weights).max()), limit) * 1.05
        axes.hist(weights, bins=81, range=(-span, span), log=True)
        for side in (-limit, limit):
            axes.axvline(side, linestyle=":", color="black", linewidth=1)
        axes.set_title(f"{title}\n{100 * share:.0f} % at ±{limit:g}", fontsize="medium")
        axes.set_xlabel("critic weight")
    panels[0].set_ylabel("weights")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
