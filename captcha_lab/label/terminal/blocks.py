"""Pixels in a terminal: each character cell shows two, one above the other."""

from __future__ import annotations

import numpy as np

_PLAIN = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def to_lines(pixels: np.ndarray, width: int, *, colour: bool) -> list[str]:
    """A picture as half blocks, shrunk to at most `width` columns.

    Args:
        pixels: uint8 [H, W] or [H, W, 3].
        width: columns of the terminal.
        colour: send 24-bit colours (on paper of their own); otherwise ink is a block and paper a blank.
    """
    image = _fit(pixels, width)
    if image.shape[0] % 2:
        image = np.concatenate([image, np.full((1, *image.shape[1:]), 255, np.uint8)])
    rows = range(0, image.shape[0], 2)
    if colour:
        rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        return [_coloured(rgb[y], rgb[y + 1]) for y in rows]
    ink = _ink(image)
    return ["".join(_PLAIN[bool(a), bool(b)] for a, b in zip(ink[y], ink[y + 1], strict=True)) for y in rows]


def side_by_side(pictures: list[list[str]], titles: list[str], cell: int, width: int) -> list[str]:
    """DatasetPictures of `cell` columns each in rows that fit `width`, every one under its title."""
    per_row = max(1, (width + 2) // (cell + 2))
    lines: list[str] = []
    for start in range(0, len(pictures), per_row):
        lines.append("  ".join(title.ljust(cell) for title in titles[start : start + per_row]).rstrip())
        lines += ["  ".join(parts) for parts in zip(*pictures[start : start + per_row], strict=True)]
    return lines


def _fit(pixels: np.ndarray, width: int) -> np.ndarray:
    if pixels.shape[1] <= width:
        return pixels
    import cv2

    height = max(2, round(pixels.shape[0] * width / pixels.shape[1]))
    shrunk: np.ndarray = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return shrunk


def _ink(image: np.ndarray) -> np.ndarray:
    """bool [H, W]: darker than half way between the darkest and the lightest."""
    grey = image if image.ndim == 2 else image.mean(axis=2)
    middle = (float(grey.min()) + float(grey.max())) / 2
    dark: np.ndarray = grey < middle
    return dark


def _coloured(above: np.ndarray, below: np.ndarray) -> str:
    cells = (
        "\x1b[38;2;{};{};{};48;2;{};{};{}m▀".format(*upper, *lower)
        for upper, lower in zip(above.tolist(), below.tolist(), strict=True)
    )
    return "".join(cells) + "\x1b[0m"
