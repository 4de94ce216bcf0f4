"""Look-alikes: glyphs that share one shape, so that one key can label them all, and how alike the shapes are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from captcha_lab.label.proposals.shapes import centred, corner_shapes, ink_masks

BLUR = 0.8  # pixels (standard deviation): a stroke one pixel off still matches
TURNS = tuple(range(-60, 61, 6))  # degrees
SLANTS = (-0.4, -0.2, 0.0, 0.2, 0.4)  # horizontal shift per unit of height
SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))  # pixels
FEATURES = 96  # principal components kept to compare shapes
MASKS_SHARE = 0.3  # of the time, about, that goes by before shapes are compared pairwise
GROUPS = 400  # shapes made of glyphs that are too noisy to repeat exactly


@dataclass(frozen=True)
class LookAlikes:
    """N glyphs as A shapes.

    Attributes:
        shape_of: int64 [N], the shape of each glyph.
        picture: int64 [A], the glyph that shows the shape best.
        size: int64 [A], glyphs of each shape.
        closeness: float32 [N], likeness of each glyph to its shape's picture, 0 … 1.
        likeness: float32 [A, A], symmetric, 0 … 1: correlation of the best match over turns, slants and
            shifts; 1 on the diagonal.
        exact: whether the glyphs of a shape are equal but for place and grey, rather than only alike.
    """

    shape_of: NDArray[np.int64]
    picture: NDArray[np.int64]
    size: NDArray[np.int64]
    closeness: NDArray[np.float32]
    likeness: NDArray[np.float32]
    exact: bool


def find_look_alikes(
    glyphs: NDArray[np.uint8],
    positions: NDArray[np.int64] | None = None,
    *,
    max_shapes: int = 1200,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LookAlikes:
    """Group glyphs by shape and compare the shapes; no label is needed.

    Glyphs whose bare shapes are equal pixel by pixel are one shape. Where that leaves more than `max_shapes`,
    noise makes every glyph differ, and k-means on blurred, centred shapes gathers them in GROUPS groups, each
    shown by its member nearest to the mean.

    Args:
        glyphs: uint8 [N, H, W], dark ink on light paper, N at least 1.
        positions: int [N], position in the captcha.
        max_shapes: shapes that may be compared pairwise (time and memory grow with its square).
        seed: of k-means and the principal components.
        progress: told (percent done, 100).
    """
    drawing, comparing = stages(progress, MASKS_SHARE)
    corner = corner_shapes(ink_masks(glyphs, positions, drawing))
    keys = np.packbits(corner.reshape(len(corner), -1), axis=1)
    # The picture of a shape is any of its glyphs, not the first: files sorted by name are not in random order.
    order = np.random.default_rng(seed).permutation(len(keys))
    _, first, inverse = np.unique(keys[order], axis=0, return_index=True, return_inverse=True)
    first = order[first]
    exact = np.empty(len(keys), np.int64)
    exact[order] = inverse.reshape(-1)
    weight = np.bincount(exact, minlength=len(first))
    pictures = _blurred(centred(corner[first]))
    if len(first) <= max_shapes:
        group = np.arange(len(first))
        means = pictures
    else:
        group, means = _gather(pictures, weight, seed)
    shape_of = group[exact]
    likeness_to_mean = np.einsum("ij,ij->i", _unit(pictures), _unit(means)[group])
    picture = _best_per_group(group, likeness_to_mean, weight)
    closeness = np.einsum("ij,ij->i", _unit(pictures), _unit(pictures)[picture][group])
    return LookAlikes(
        shape_of=shape_of,
        picture=first[picture].astype(np.int64),
        size=np.bincount(shape_of, minlength=len(means)).astype(np.int64),
        closeness=closeness[exact].astype(np.float32),
        likeness=likeness(means, comparing),
        exact=len(first) <= max_shapes,
    )


def stages(
    progress: Callable[[int, int], None], share: float
) -> tuple[Callable[[int, int], None], Callable[[int, int], None]]:
    """Two progress callbacks that together go once from 0 to 100, the first up to `share` of it."""

    def part(start: float, length: float) -> Callable[[int, int], None]:
        return lambda done, total: progress(round(100 * (start + length * done / max(total, 1))), 100)

    return part(0.0, share), part(share, 1 - share)


def _blurred(shapes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(shapes, (0, BLUR, BLUR)))


def _unit(shapes: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = shapes.reshape(len(shapes), -1)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))


def _gather(
    pictures: NDArray[np.float32], weight: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """k-means groups of blurred shapes: group of each [A] and mean shapes [GROUPS, S, S]."""
    flat = _unit(pictures)
    features = PCA(min(FEATURES, *flat.shape), random_state=seed).fit_transform(flat)
    model = KMeans(GROUPS, n_init=1, max_iter=40, random_state=seed).fit(features, sample_weight=weight)
    _, group = np.unique(model.labels_, return_inverse=True)
    means = np.zeros((group.max() + 1, flat.shape[1]), np.float32)
    np.add.at(means, group, flat * weight[:, None])
    return group.astype(np.int64), means.reshape(-1, *pictures.shape[1:])


def _best_per_group(
    group: NDArray[np.int64], closeness: NDArray[np.float32], weight: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Index of the closest (then most frequent) shape of each group."""
    order = np.lexsort((-weight, -closeness, group))
    _, start = np.unique(group[order], return_index=True)
    best = order[start]
    return best.astype(np.int64)


def likeness(
    shapes: NDArray[np.float32], progress: Callable[[int, int], None] = lambda done, total: None
) -> NDArray[np.float32]:
    """How well shapes match when one may be turned, slanted and shifted a little.

    Tangent-distance's aim (Simard, LeCun and Denker 1993) by plain search over a grid of transformations.

    Args:
        shapes: float32 [A, S, S], ink between 0 and 1, centred.
        progress: told (turns done, all turns).

    Returns:
        float32 [A, A], symmetric: the largest cosine over TURNS, SLANTS and SHIFTS.
    """
    flat = _unit(shapes)
    # Comparing in the principal subspace of the upright shapes: what a warped shape has outside it can only
    # be mismatch, and keeps its weight in the norm.
    _, _, axes = np.linalg.svd(flat, full_matrices=False)
    axes = axes[:FEATURES]
    upright = flat @ axes.T
    best = np.full((len(flat), len(flat)), -1.0, np.float32)
    for done, turn in enumerate(TURNS, 1):
        for slant in SLANTS:
            warped = _warp(shapes, turn, slant)
            for shift in SHIFTS:
                moved = _unit(np.roll(warped, shift, axis=(1, 2)))
                np.maximum(best, (moved @ axes.T) @ upright.T, out=best)
        progress(done, len(TURNS))
    best = np.maximum(best, best.T)
    np.fill_diagonal(best, 1.0)
    return np.clip(best, 0.0, 1.0)


def _warp(shapes: NDArray[np.float32], turn: float, slant: float) -> NDArray[np.float32]:
    """Shapes turned by `turn` degrees and slanted about their centre, bilinear; [A, S, S] to the same."""
    angle = np.deg2rad(turn)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.array(
        [[1.0, 0.0], [slant, 1.0]]
    )
    middle = np.full(2, (shapes.shape[1] - 1) / 2)
    offset = middle - matrix @ middle
    # One three-dimensional call is as good as A two-dimensional ones: the first axis maps to itself.
    full = np.eye(3)
    full[1:, 1:] = matrix
    return np.asarray(ndimage.affine_transform(shapes, full, offset=(0.0, *offset), order=1))
