"""Lines, curves and dots over practice captchas."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.base.inks import Ink, Picture, Rng


class Strokes:
    """Lines, curves and dots of one picture, all of a kind: what is added twice looks alike."""

    def __init__(self, paper: NDArray[np.float32], ink: Ink, rng: Rng) -> None:
        self.rng, self.ink = rng, ink
        self.kinds = rng.permutation(
            ["lines", "lines", "arcs", "polygons", "waves", "dots", "specks", "ellipses"]
        )[: rng.integers(0, 3)]
        self.own = rng.random()  # below 0.5: ink of the text; below 0.8: any colour; else that of the paper
        self.paper = paper
        self.thin = rng.random() < 0.6

    def add(self, picture: Picture) -> None:
        for kind in self.kinds:
            getattr(self, f"_{kind}")(picture)

    def _colour(self) -> list[float]:
        if self.own < 0.5:
            return [float(value) for value in self.ink.draw(self.rng)]
        if self.own < 0.85:
            return [float(value) for value in self.rng.uniform(0, 255, 3)]
        return [float(value) for value in self.paper]

    def _thickness(self, picture: Picture) -> int:
        return 1 if self.thin else int(self.rng.integers(1, 2 + picture.shape[0] // 20))

    def _points(self, picture: Picture, count: int, margin: float = 0.15) -> NDArray[np.int32]:
        height, width = picture.shape[:2]
        low, high = np.array([-margin * width, -margin * height]), np.array([width, height]) * (1 + margin)
        return self.rng.uniform(low, high, (count, 2)).astype(np.int32)

    def _lines(self, picture: Picture) -> None:
        many = self.rng.random() < 0.25
        for _ in range(int(self.rng.integers(5, 16) if many else self.rng.integers(1, 5))):
            a, b = self._points(picture, 2)
            if self.rng.random() < 0.3:  # short
                b = a + (b - a) // 4
            cv2.line(
                picture,
                a.tolist(),
                b.tolist(),
                self._colour(),
                1 if many else self._thickness(picture),
                cv2.LINE_AA,
            )

    def _polygons(self, picture: Picture) -> None:
        for _ in range(int(self.rng.integers(1, 4))):
            points = self._points(picture, int(self.rng.integers(3, 6)))
            if self.rng.random() < 0.7:
                points = points[np.argsort(points[:, 0])]
            cv2.polylines(picture, [points], False, self._colour(), self._thickness(picture), cv2.LINE_AA)

    def _arcs(self, picture: Picture) -> None:
        height, width = picture.shape[:2]
        for _ in range(int(self.rng.integers(1, 4))):
            centre = self._points(picture, 1)[0]
            axes = int(self.rng.integers(5, max(width, 7))), int(self.rng.integers(3, max(height, 5)))
            start = self.rng.uniform(0, 360)
            cv2.ellipse(
                picture,
                centre.tolist(),
                axes,
                self.rng.uniform(-30, 30),
                start,
                start + self.rng.uniform(60, 200),
                self._colour(),
                self._thickness(picture),
                cv2.LINE_AA,
            )

    def _ellipses(self, picture: Picture) -> None:
        for _ in range(int(self.rng.integers(1, 6))):
            centre, radius = (
                self._points(picture, 1)[0],
                int(self.rng.integers(2, max(picture.shape[0] // 2, 4))),
            )
            cv2.circle(picture, centre.tolist(), radius, self._colour(), 1, cv2.LINE_AA)

    def _waves(self, picture: Picture) -> None:
        height, width = picture.shape[:2]
        x = np.arange(-2, width + 2, 2)
        for _ in range(int(self.rng.integers(1, 4))):
            period, phase = self.rng.uniform(0.3, 2.0) * width, self.rng.uniform(0, 2 * np.pi)
            y = height * (
                self.rng.uniform(0.2, 0.8)
                + self.rng.uniform(0.05, 0.4) * np.sin(2 * np.pi * x / period + phase)
            )
            curve = np.column_stack([x, y]).astype(np.int32)
            cv2.polylines(picture, [curve], False, self._colour(), self._thickness(picture), cv2.LINE_AA)

    def _dots(self, picture: Picture) -> None:
        for x, y in self._points(picture, int(self.rng.integers(3, 30)), 0):
            cv2.circle(picture, (int(x), int(y)), int(self.rng.integers(0, 3)), self._colour(), -1)

    def _specks(self, picture: Picture) -> None:
        height, width = picture.shape[:2]
        count = int(height * width * self.rng.uniform(0.01, 0.12))
        rows, columns = self.rng.integers(height, size=count), self.rng.integers(width, size=count)
        single = np.array(self._colour(), np.float32)
        picture[rows, columns] = single if self.rng.random() < 0.5 else self.rng.uniform(0, 255, (count, 3))
