"""How a critic's weights are spread, layer by layer: beside a clip's limits, or under a gradient penalty.

The picture of Gulrajani et al. 2017 (figure 1b) and of the thesis's Wasserstein chapter.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.extras import available
from captcha_lab.store.files import atomic_path
from captcha_lab.store.runs import Run, load_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 5  # histograms in a row, at most
CRITIC = "critic.safetensors"  # a finished run's last critic


def layer_weights(critic: Mapping[str, torch.Tensor]) -> dict[str, NDArray[np.float32]]:
    """The connection weights of a critic's state, layer by layer; biases, norms and running statistics left out.

    Args:
        critic: a state dictionary.

    Returns:
        float32 [M] for each layer, by the layer's name.

    Raises:
        UsageError: there is no weight of two or more dimensions.
    """
    found = {
        name.removesuffix(".weight"): tensor.detach().float().cpu().numpy().ravel()
        for name, tensor in critic.items()
        if tensor.ndim >= 2
    }
    if not found:
        raise UsageError("This state holds no weights: give a critic's.")
    return found


def critic_weights(critic: Mapping[str, torch.Tensor]) -> NDArray[np.float32]:
    """All connection weights of a critic's state in one row, float32 [M] (see `layer_weights`)."""
    return np.concatenate(list(layer_weights(critic).values()))


def run_layer_weights(run: Run) -> dict[str, NDArray[np.float32]]:
    """The weights of a finished run's critic by layer (see `layer_weights`).

    Raises:
        CaptchaLabError: the run has not finished, or its recipe has no critic.
    """
    if not (run.root / CRITIC).is_file():
        raise CaptchaLabError(
            f"The run {run.name} has no {CRITIC}: let it finish (`captcha-lab train-gen --resume {run.name}`); "
            "recipes without a critic, and runs stopped by NaN, have none."
        )
    return layer_weights(load_weights(run.root / CRITIC)[0])


def share_at_limit(weights: NDArray[np.floating], limit: float, within: float = 0.01) -> float:
    """The share of weights whose size is the limit's, to `within` (a share of the limit).

    Raises:
        UsageError: a limit that is not above 0.
    """
    if limit <= 0:
        raise UsageError(f"A limit of {limit:g} holds no weights: give one above 0.")
    return float(np.mean(np.abs(np.abs(weights) - limit) <= within * limit))


def weight_histograms(weights: Mapping[str, NDArray[np.floating]], limit: float = 0.0) -> Figure:
    """Histograms of weights side by side, each with its share at the clip's limits.

    Args:
        weights: a title and weights [M] for each panel: of several critics, or of one critic's layers.
        limit: the clip's limit, drawn as dotted lines; 0 = there is none.

    Raises:
        UsageError: nothing to draw.
    """
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    if not weights:
        raise UsageError("There are no weights to draw: give one critic at least.")
    columns = min(COLUMNS, len(weights))
    rows = -(-len(weights) // columns)
    figure = Figure(figsize=(3.6 * columns, 3.0 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[len(weights) :]:
        axes.axis("off")
    for axes, (title, values) in zip(panels, weights.items(), strict=False):
        span = max(float(np.abs(values).max()), limit) * 1.05 or 1.0
        axes.hist(values, bins=81, range=(-span, span), log=True)
        held = f"\n{100 * share_at_limit(values, limit):.1f} % at ±{limit:g}" if limit else ""
        for side in (-limit, limit) if limit else ():
            axes.axvline(side, linestyle=":", color=rcParams["text.color"], linewidth=1)
        axes.set_title(title + held, fontsize="medium")
        axes.set_xlabel("critic weight")
    for axes in panels[::columns]:
        axes.set_ylabel("weights")
    return figure


def save_weight_histograms(
    path: Path, weights: Mapping[str, NDArray[np.floating]], limit: float = 0.0
) -> None:
    """Write `weight_histograms` as a picture; nothing is drawn without matplotlib."""
    if available("matplotlib"):
        figure = weight_histograms(weights, limit)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=110)
