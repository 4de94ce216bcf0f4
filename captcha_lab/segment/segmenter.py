"""The segmenter: how captchas are whitened and cut into glyphs, as one value that models carry with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from captcha_lab.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from captcha_lab.segment.method import Box


MAX_GLYPHS, MAX_SIZE = 64, 1024  # of a captcha; side of a glyph in pixels


@dataclass(frozen=True)
class Segmenter:
    """Whiten at a threshold, find the cells by a method, fit each cell to the network's square.

    Raises:
        UsageError: a value is impossible.
    """

    glyphs: int = 4  # cells per captcha; 0: as many as the method finds, or the captcha's text has
    threshold: str | int = "otsu"  # "otsu", or the highest grey level 0 … 254 that still counts as ink
    binary: bool = False  # ink becomes 0 instead of keeping its grey
    size: int = 20  # side of a glyph in pixels
    fit: str = "pad"  # "pad" keeps the cell's proportions on a white square, "stretch" does not
    method: str = "equal"  # the name of a file in `segment.methods`
    run: str = ""  # where the method is `reader`: the name of the run that sees the cells

    def __post_init__(self) -> None:
        if type(self.glyphs) is not int or type(self.size) is not int:  # it may come from a file
            raise UsageError(f"--glyphs {self.glyphs!r} and --size {self.size!r} must be whole numbers.")
        if self.glyphs > MAX_GLYPHS or self.size > MAX_SIZE:
            raise UsageError(
                f"--glyphs {self.glyphs} and --size {self.size}: a captcha is cut into at most {MAX_GLYPHS} glyphs of "
                f"at most {MAX_SIZE} pixels."
            )
        if self.glyphs < 0 or (self.glyphs == 0 and self.method == "equal"):
            raise UsageError(f"--glyphs is {self.glyphs}, but a captcha has at least 1 glyph.")
        if self.threshold != "otsu" and not (isinstance(self.threshold, int) and 0 <= self.threshold <= 254):
            raise UsageError(f"--threshold is {self.threshold!r}: give 'otsu' or a grey level from 0 to 254.")
        if self.size < 8:
            raise UsageError(f"--size is {self.size}: glyphs smaller than 8 pixels can't be read.")
        if self.fit not in ("pad", "stretch"):
            raise UsageError(f"--fit is {self.fit!r}: choose 'pad' or 'stretch'.")

    @property
    def version(self) -> str:
        """What the catalog stores beside each cut: the method's version and all settings."""
        from captcha_lab.segment.method import method_named

        settings = {key: value for key, value in asdict(self).items() if key not in ("method", "run")}
        if self.run:
            settings["run"] = self.run
        return " ".join(
            (method_named(self.method).version, *(f"{key}={value}" for key, value in settings.items()))
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Segmenter:
        """The segmenter that a model's metadata or a catalog describes (see `to_dict`)."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def boxes(
        self, images: Sequence[np.ndarray], counts: Sequence[int | None] | None = None
    ) -> list[list[Box]]:
        """The cells of captchas, from left to right.

        Args:
            images: uint8 [H, W] or RGB [H, W, 3] each, of any sizes, dark ink on light paper.
            counts: the number of characters of each captcha where it is known; it goes before `glyphs`.

        Returns:
            For each captcha its boxes (x0, y0, x1, y1) in pixels, x1 and y1 exclusive; none where it has no ink or
            is narrower than it has cells.
        """
        import numpy as np

        from captcha_lab.segment import threshold
        from captcha_lab.segment.crop import by_shape
        from captcha_lab.segment.method import method_named

        method = method_named(self.method)
        wanted = [(counts[row] if counts else None) or self.glyphs or None for row in range(len(images))]
        if method.by_size:
            of_size = cache(lambda height, width, count: method.boxes(np.zeros((height, width), bool), count))
            return [of_size(*image.shape[:2], n) for image, n in zip(images, wanted, strict=True)]
        found: list[list[Box]] = [[] for _ in images]
        for rows in by_shape(images):
            for row, white in zip(rows, self._whiten([images[row] for row in rows]), strict=True):
                found[row] = method.boxes(threshold.is_ink(white), wanted[row])
        return found

    def crop(self, images: Sequence[np.ndarray], boxes: Sequence[Sequence[Box]]) -> NDArray[np.uint8]:
        """The glyphs in given cells of captchas of any sizes: uint8 [M, size, size], captcha after captcha."""
        import numpy as np

        from captcha_lab.segment.crop import by_shape, crop

        ends = np.cumsum([0, *(len(own) for own in boxes)])
        glyphs = np.empty((ends[-1], self.size, self.size), np.uint8)
        for rows in by_shape(images):
            white = self._whiten([images[row] for row in rows])
            own = crop(white, [boxes[row] for row in rows], self.size, self.fit)
            glyphs[np.concatenate([np.arange(ends[row], ends[row + 1]) for row in rows])] = own
        return glyphs

    def cut(
        self, images: Sequence[np.ndarray], counts: Sequence[int | None] | None = None
    ) -> list[NDArray[np.uint8]]:
        """Cells found and cropped at once: for each captcha uint8 [its cells, size, size] (see `boxes`)."""
        import numpy as np

        boxes = self.boxes(images, counts)
        return (
            np.split(self.crop(images, boxes), np.cumsum([len(own) for own in boxes])[:-1]) if boxes else []
        )

    def flags(self, images: Sequence[np.ndarray], boxes: Sequence[Sequence[Box]]) -> list[list[str]]:
        """What went wrong in each cell of each captcha: see `inspect.flags`."""
        from captcha_lab.segment import inspect, threshold

        return [
            inspect.flags(threshold.is_ink(self._whiten([image])[0]), own)
            for image, own in zip(images, boxes, strict=True)
        ]

    def _whiten(self, images: Sequence[np.ndarray]) -> NDArray[np.uint8]:
        import numpy as np

        from captcha_lab.segment import threshold

        grey = threshold.to_grey(np.stack(images))
        return threshold.whiten(grey, self.threshold, binary=self.binary)
