"""Fonts that practice captchas are drawn in: character masks of every usable font found in some folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

DIGITS = "0123456789"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SMALL = CAPITALS.lower()
SIZES = (14, 20, 28, 40, 56)  # em in pixels of the masks kept: a glyph is scaled from the next larger one
UNUSABLE = ("symbol", "dingbat", "d050000l", "stixnonuni", "stixsiz", "lastresort", "cmex", "cmmi", "cmsy")
SAME_SHAPE = 0.6  # mean correlation of small letters and their capitals from which a font has capitals only


@dataclass(frozen=True)
class Mask:
    """Ink of one character: `ink` uint8 [h, w], its left and upper edge relative to the pen on the baseline."""

    ink: NDArray[np.uint8]
    left: int
    top: int
    em: int


class Face:
    """One font file; masks are drawn once and kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}
        self._masks: dict[tuple[str, int], Mask] = {}

    def mask(self, character: str, em: float) -> Mask:
        """Ink of a character, drawn at the kept size next to `em` (pixels)."""
        size = next((s for s in SIZES if s >= 0.95 * em), SIZES[-1])
        key = character, size
        if key not in self._masks:
            self._masks[key] = self._draw(character, size)
        return self._masks[key]

    def _draw(self, character: str, size: int) -> Mask:
        if size not in self._fonts:
            self._fonts[size] = ImageFont.truetype(str(self.path), size)
        font = self._fonts[size]
        left, top, _, _ = font.getbbox(character, anchor="ls")
        core = font.getmask(character, "L")
        ink = np.array(core, np.uint8).reshape(core.size[::-1])
        return Mask(ink, int(left), int(top), size)

    @cached_property
    def capitals_only(self) -> bool:
        """Whether the small letters are drawn as capitals."""
        from cv2 import resize

        def shape(character: str) -> NDArray[np.float32]:
            return resize(self.mask(character, 40).ink, (24, 24)).astype(np.float32).ravel()

        alike = [np.corrcoef(shape(c), shape(c.upper()))[0, 1] for c in "abegrq"]
        return bool(np.mean(alike) > SAME_SHAPE)

    @cached_property
    def usable(self) -> bool:
        """Whether it draws all digits and letters, each in its own form."""
        try:
            inks = [self.mask(c, 28).ink for c in DIGITS + CAPITALS + SMALL]
        except (OSError, ValueError):
            return False
        empty = any(ink.size == 0 or ink.max() < 128 for ink in inks)
        return not empty and len({ink.tobytes() for ink in inks[:36]}) == 36


class Fonts:
    """Faces by family: a picture draws the family first, so that many weights of one do not outweigh others."""

    def __init__(self, folders: Iterable[Path]) -> None:
        families: dict[str, list[Face]] = defaultdict(list)
        paths = {p.name: p for folder in folders for p in sorted(folder.rglob("*")) if _is_font(p)}
        for name in sorted(paths):
            face = Face(paths[name])
            if face.usable:
                families[_family(name)].append(face)
        self.families = list(families.values())

    def mix(self, rng: np.random.Generator, small_letters: bool) -> Callable[[np.random.Generator], Face]:
        """What gives the face of each character of a text: always the same, one of a family, or any."""
        kind = rng.random()
        face = self.choose(rng, small_letters)
        family = next(f for f in self.families if face in f)
        fitting = [f for f in family if not (small_letters and f.capitals_only)]
        if kind < 0.25:
            return lambda rng: self.choose(rng, small_letters)
        if kind < 0.42:
            return lambda rng: fitting[rng.integers(len(fitting))]
        return lambda rng: face

    def choose(self, rng: np.random.Generator, small_letters: bool) -> Face:
        """A face; one with small letters of their own where the text needs them."""
        while True:
            family = self.families[rng.integers(len(self.families))]
            face = family[rng.integers(len(family))]
            if not (small_letters and face.capitals_only):
                return face


def _is_font(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith((".ttf", ".otf")) and not any(word in name for word in UNUSABLE)


def _family(name: str) -> str:
    stem = name.rsplit(".", 1)[0].split("-")[0]
    return stem[:7].lower()
