"""Captchas drawn from their traits: the styles `variable`, `slanted`, `coloured` and `inverse`."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from captcha_lab.collect.endpoint.traits import Traits
from captcha_lab.errors import UsageError

MEDIA_TYPE = "image/png"
HEIGHT = 48
EDGE = 8  # pixels of paper left and right of the text
SIZES = (28, 34)  # pixels per em
GAP, OVERLAP = (2, 9), (1, 4)  # pixels between the ink of neighbours, or shared by them
LEAN, TURN = (0.12, 0.38), 8.0  # horizontal shift per unit of height; degrees at most
DARK, COLOUR = (0, 60), (0, 150)  # of a channel of ink
PALE, TINT = (235, 256), (205, 256)  # of a channel of paper
# All of them come with matplotlib: the same on every machine, whatever fonts the system has.
FONTS = (
    "DejaVuSans",
    "DejaVuSerif-Bold",
    "STIXGeneralBol",
    "DejaVuSansMono",
    "DejaVuSans-Bold",
    "DejaVuSerif",
)

Ink = tuple[int, ...]


@lru_cache(maxsize=64)
def font(number: int, size: int) -> ImageFont.FreeTypeFont:
    """One of the fonts by number, at so many pixels per em."""
    import matplotlib

    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{FONTS[number]}.ttf"), size
    )


def check_alphabet(characters: str, traits: Traits) -> None:
    """Make sure that the style's fonts draw all of these characters.

    Raises:
        UsageError: one does not; the message names the first such character.
    """
    for number in range(traits.fonts):
        face = font(number, SIZES[0])
        missing = bytes(face.getmask("\U0010ffff"))
        for character in characters:
            if bytes(face.getmask(character)) == missing:
                raise UsageError(
                    f"The built-in endpoint's font has no {character!r}: leave it out of --alphabet."
                )


def render(text: str, rng: np.random.Generator, traits: Traits) -> NDArray[np.uint8]:
    """Draw one captcha.

    Args:
        text: its characters.
        rng: where everything random comes from; the same state draws the same picture.
        traits: of the style.

    Returns:
        uint8 [48, W, 3] RGB; W follows the characters.

    Raises:
        UsageError: the text is empty.
    """
    if not text:
        raise UsageError("A captcha needs at least one character: give --length 1 or more.")
    lean = rng.uniform(*LEAN) * rng.choice([-1, 1]) if traits.slanted else 0.0
    masks = [_character(character, lean, rng, traits) for character in text]
    lefts: list[int] = []
    width = EDGE
    for mask in masks:
        if lefts:
            width += -int(rng.integers(*OVERLAP)) if traits.touching else int(rng.integers(*GAP))
        lefts.append(width)
        width += mask.shape[1]
    paper = rng.integers(*(TINT if traits.coloured else PALE), 3 if traits.coloured else 1)
    picture = np.empty((HEIGHT, width + EDGE, 3), np.uint8)
    picture[:] = paper
    if traits.coloured:
        _blot(picture, rng)
    inks = [_ink(rng, traits) for _ in text]
    for left, mask, ink in zip(lefts, masks, inks, strict=True):
        top = int(np.clip((HEIGHT - mask.shape[0]) // 2 + rng.integers(-4, 5), 0, HEIGHT - mask.shape[0]))
        part = picture[top : top + mask.shape[0], left : left + mask.shape[1]]
        part[:] = np.round(part + (np.array(ink) - part) * mask[..., None])
    add_strokes(picture, traits.strokes, inks[0], rng)
    noisy = np.clip(picture + rng.normal(0, 4, (*picture.shape[:2], 1)), 0, 255).astype(np.uint8)
    return 255 - noisy if traits.inverse else noisy


def _character(character: str, lean: float, rng: np.random.Generator, traits: Traits) -> NDArray[np.float32]:
    """How much of each pixel [H, W] a character's ink covers, 0 to 1; cropped to the ink."""
    face = font(int(rng.integers(traits.fonts)), int(rng.integers(SIZES[0], SIZES[1] + 1)))
    side = 2 * HEIGHT
    page = Image.new("L", (side, side), 0)
    ImageDraw.Draw(page).text((HEIGHT, HEIGHT), character, 255, face, anchor="mm")
    if traits.slanted:
        page = page.transform(
            page.size, Image.Transform.AFFINE, (1, lean, -lean * HEIGHT, 0, 1, 0), Image.Resampling.BICUBIC
        )
        page = page.rotate(rng.uniform(-TURN, TURN), Image.Resampling.BICUBIC)
    box = page.getbbox() or (0, 0, 1, 1)
    mask: NDArray[np.float32] = np.asarray(page.crop(box)).astype(np.float32) / np.float32(255)
    if mask.shape[0] <= HEIGHT:
        return mask
    scale = HEIGHT / mask.shape[0]
    return np.asarray(cv2.resize(mask, (max(1, round(mask.shape[1] * scale)), HEIGHT)), np.float32)


def _ink(rng: np.random.Generator, traits: Traits) -> Ink:
    """A character's colour: grey, or two dark channels and one of any strength."""
    if not traits.coloured:
        return (int(rng.integers(*DARK)),) * 3
    ink = rng.integers(*COLOUR, 3)
    ink[rng.integers(3)] = rng.integers(*DARK)
    return tuple(ink.tolist())


def _blot(picture: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Pale discs of other tints under the text, in place."""
    height, width = picture.shape[:2]
    for _ in range(width // 6):
        centre = int(rng.integers(width)), int(rng.integers(height))
        tint = [float(value) for value in rng.integers(*TINT, 3)]
        cv2.circle(picture, centre, int(rng.integers(2, 6)), tint, -1, cv2.LINE_AA)


def add_strokes(picture: NDArray[np.uint8], count: int, ink: Ink, rng: np.random.Generator) -> None:
    """Draw so many bent lines from the left to the right of a picture uint8 [H, W, 3], in place."""
    height, width = picture.shape[:2]
    steps = np.linspace(0, 1, 24)[:, None]
    for _ in range(count):
        ends = [(x, rng.uniform(0.15, 0.85) * height) for x in (0, rng.uniform(0.3, 0.7) * width, width - 1)]
        start, middle, end = (np.array(point) for point in ends)
        curve = (1 - steps) ** 2 * start + 2 * steps * (1 - steps) * middle + steps**2 * end
        points = np.round(curve).astype(np.int32)
        cv2.polylines(picture, [points], False, [float(c) for c in ink], max(1, height // 24), cv2.LINE_AA)


def encode(picture: NDArray[np.uint8]) -> bytes:
    """PNG bytes of a uint8 [H, W, 3] picture."""
    out = BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()
