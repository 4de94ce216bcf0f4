"""A strided convolution by hand, beside torch's: where the kernel lies, what padding and stride do to the size."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from captcha_lab.generate.explain.topic import Explanation, Topic

SIZE, KERNEL, STRIDE, PADDING = 10, 5, 2, 2


def picture() -> np.ndarray:
    """A small 7, [10, 10] in [0, 1]."""
    image = np.zeros((SIZE, SIZE))
    image[1, 2:8] = 1
    image[np.arange(2, 9), 7 - (np.arange(2, 9) - 2) // 2] = 1
    return image


def by_hand(image: np.ndarray, kernel: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """The cross-correlation that networks call a convolution: every output is a sum of products under the kernel."""
    padded = np.pad(image, padding)
    side = (len(padded) - len(kernel)) // stride + 1
    result = np.zeros((side, side))
    for y in range(side):
        for x in range(side):
            under = padded[y * stride : y * stride + len(kernel), x * stride : x * stride + len(kernel)]
            result[y, x] = (under * kernel).sum()
    return result


def edges() -> np.ndarray:
    """A 5x5 kernel that answers to horizontal edges."""
    return np.repeat(np.array([[-1.0], [-2.0], [0.0], [2.0], [1.0]]), KERNEL, axis=1) / 10


def explain(seed: int) -> Explanation:
    """A 5x5 convolution of stride 2 on a 10x10 picture (no draws)."""
    image, kernel = picture(), edges()
    found = by_hand(image, kernel, STRIDE, PADDING)
    pixels, weights = (torch.from_numpy(a)[None, None] for a in (image, kernel))
    theirs = F.conv2d(pixels, weights, stride=STRIDE, padding=PADDING)[0, 0].numpy()
    gap = float(np.abs(found - theirs).max())
    shared, dense = KERNEL * KERNEL, SIZE * SIZE * found.size
    paragraph = (
        f"A {KERNEL}x{KERNEL} kernel is laid on the picture at every {STRIDE}nd place; each output is the sum of the "
        f"products under it. With {PADDING} zeros of padding on each side a {SIZE}x{SIZE} picture becomes "
        f"({SIZE} + 2*{PADDING} - {KERNEL}) // {STRIDE} + 1 = {len(found)} by {len(found)}: every strided "
        f"layer of the critic halves the side (20 to 10 to 5). "
        f"The loop here and torch's layer differ by {gap:.0e}. The same {shared} weights serve all places; a fully "
        f"connected layer from as many pixels to as many outputs would need {dense:,}."
    )

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, 3)
        shown = ((image, f"input {SIZE}x{SIZE}"), (kernel, f"kernel {KERNEL}x{KERNEL}"))
        for axes, (array, title) in zip(
            panels, (*shown, (found, f"output {len(found)}x{len(found)}")), strict=True
        ):
            axes.imshow(array, cmap="gray")
            axes.set_title(title)
            axes.set_axis_off()

    figures = {"output": found.tolist(), "gap_to_torch": gap, "weights": shared, "dense_weights": dense}
    return Explanation(paragraph, figures, draw)


TOPIC = Topic(
    "convolution",
    "a strided convolution by hand: kernel, padding, stride and sizes",
    "thesis, chapter 4 (5x5 kernels, stride 2); CS231n",
    explain,
)
