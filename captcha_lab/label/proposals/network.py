"""A small network that learns from labels and proposals together, for glyphs too noisy to repeat their shapes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from captcha_lab.recognise.tensors import to_tensor
from captcha_lab.recognise.train import build_lenet, shifted

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
        random = torch.Generator().manual_seed(self._seed * 1009 + self._trainings)
        draws = MORE_DRAWS if self._trainings else DRAWS
        rows = torch.multinomial(torch.from_numpy(weights), draws, replacement=True, generator=random)
        self._trainings += 1
        goal = torch.from_numpy(targets)
        steps = -(-draws // BATCH)
        network = self._network.train()
        optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for part in rows.split(BATCH):
            batch = shifted(to_tensor(self._glyphs[part.numpy()]), 1, random)
            loss = F.cross_entropy(network(batch), goal[part], label_smoothing=SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
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
