"""A small network that learns from labels and proposals together, for glyphs too noisy to repeat their shapes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from captcha_lab.recognise.classify import build_lenet, shifted
from captcha_lab.recognise.fit import FitConfig, fit
from captcha_lab.recognise.tensors import to_tensor

MIN_LABELS = 8  # labels below which proposals are too poor to learn from
DRAWS = 12_000  # glyphs drawn in the first training: seconds on one core
MORE_DRAWS = 6_000  # in each later one, which goes on from the last
BATCH = 64
LEARNING_RATE = 2e-3
SMOOTHING = 0.05  # of the targets: some proposals are wrong


class ProposalNetwork:
    """The thesis's LeNet trained on what is believed so far (pseudo-labels, Lee 2013), each time a little more.

    Shapes tell which glyphs belong together, the network which strokes matter; wrong proposals are few and contradict
    each other, so it outgrows them.

    Args:
        glyphs: uint8 [N, H, W].
        classes: K.
        seed: of weights and draws.
    """

    def __init__(self, glyphs: NDArray[np.uint8], classes: int, seed: int = 0) -> None:
        self._glyphs, self._classes, self._seed = glyphs, classes, seed
        self._trainings = 0
        self._network = build_lenet(classes, glyphs.shape[1], 1, seed)

    def train(self, targets: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """Learn and read every glyph.

        Args:
            targets: int64 [N], the class believed of each glyph.
            weights: float64 [N], how far it is believed; rows are drawn in proportion.

        Returns:
            float32 [N, K], rows summing to 1.
        """
        seed = self._seed * 1009 + self._trainings
        random = torch.Generator().manual_seed(seed)
        draws = MORE_DRAWS if self._trainings else DRAWS
        rows = torch.multinomial(torch.from_numpy(weights), draws, replacement=True, generator=random)
        self._trainings += 1
        goal, parts = torch.from_numpy(targets), rows.split(BATCH)

        def batch(step: int) -> tuple[Tensor, Tensor]:
            return shifted(to_tensor(self._glyphs[parts[step].numpy()]), 1, random), goal[parts[step]]

        config = FitConfig(len(parts), LEARNING_RATE, "cosine", evaluate_every=len(parts), seed=seed)
        fit(self._network, batch, _objective, config)
        return self.read()

    @torch.inference_mode()
    def read(self) -> NDArray[np.float32]:
        """Probabilities of every glyph, float32 [N, K]."""
        network = self._network.eval()
        parts = [
            network(to_tensor(self._glyphs[a : a + 1024])).softmax(1)
            for a in range(0, len(self._glyphs), 1024)
        ]
        return torch.cat(parts).numpy()


def _objective(network: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    return {"loss": F.cross_entropy(network(batch[0]), batch[1], label_smoothing=SMOOTHING)}
