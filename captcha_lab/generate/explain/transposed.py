"""A transposed convolution: the kernel painted once for every input, and the transpose of a convolution's matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from captcha_lab.generate.explain.topic import Explanation, Topic

SIZE, KERNEL, STRIDE = 4, 3, 2
# The slides' generator: kernel, stride and padding of its three layers.
SLIDES = ((3, 2, 0), (3, 2, 1), (4, 2, 2))


def by_hand(image: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Every input paints the kernel, times its value, at stride times its place; what overlaps adds up."""
    side = (len(image) - 1) * stride + len(kernel)
    result = np.zeros((side, side))
    for (y, x), value in np.ndenumerate(image):
        result[y * stride : y * stride + len(kernel), x * stride : x * stride + len(kernel)] += value * kernel
    return result


def explain(seed: int) -> Explanation:
    """A 3x3 transposed convolution of stride 2 on 4x4 values; the slides' sizes."""
    rng = np.random.default_rng(seed)
    image, kernel = rng.random((SIZE, SIZE)), np.outer([0.5, 1, 0.5], [0.5, 1, 0.5])
    found = by_hand(image, kernel, STRIDE)
    pixels, weights = (torch.from_numpy(a)[None, None] for a in (image, kernel))
    theirs = F.conv_transpose2d(pixels, weights, stride=STRIDE)[0, 0].numpy()
    other = rng.random(found.shape)
    back = F.conv2d(torch.from_numpy(other)[None, None], weights, stride=STRIDE)[0, 0].numpy()
    left, right = float((found * other).sum()), float((image * back).sum())
    sides = [4]
    for kernel_size, stride, padding in SLIDES:
        sides.append((sides[-1] - 1) * stride + kernel_size - 2 * padding)
    paragraph = (
        f"A convolution gathers what lies under the kernel; a transposed one paints the kernel once for every input, "
        f"{STRIDE} places apart, and adds up what overlaps: {SIZE}x{SIZE} becomes {len(found)}x{len(found)}, by "
        f"(n - 1) stride + kernel - 2 padding. It is the transpose of the convolution with the same kernel, not its "
        f"inverse: for any y, <T x, y> = {left:.6f} and <x, C y> = {right:.6f}. The loop here and torch's "
        f"layer differ "
        f"by {np.abs(found - theirs).max():.0e}. The slides' three layers give {' - '.join(map(str, sides))} pixels. "
        "Where the kernel is no multiple of the stride, some places are painted more often than others: the "
        "chequerboard that such generators show."
    )

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, 3)
        often = by_hand(np.ones_like(image), np.ones_like(kernel), STRIDE)
        titles = (
            f"input {SIZE}x{SIZE}",
            f"output {len(found)}x{len(found)}",
            "how often each place is painted",
        )
        for axes, array, title in zip(panels, (image, found, often), titles, strict=True):
            axes.imshow(array, cmap="gray", vmin=0)
            axes.set_title(title, fontsize="medium")
            axes.set_axis_off()

    figures = {"sides": sides, "inner_products": [left, right], "output": found.tolist()}
    return Explanation(paragraph, figures, draw)


TOPIC = Topic(
    "transposed",
    "a transposed convolution by hand: painting, sizes, and why it is called transposed",
    "GAN slides, DCGAN; thesis, chapter 4",
    explain,
)
