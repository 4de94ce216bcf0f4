"""Practice captchas for the base reader: every picture draws its own text, fonts, colours, distortions and noise.

Nothing here imitates one site's captcha. Three in ten are drawn by the package `captcha`, which many sites use. Of the
others each trait (slant, waves, strokes, dots, frames, blur, gradients, pale ink, touching characters, …) is drawn
independently, so that real captchas are combinations of known traits.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.base import package
from scripts.base.fonts import CAPITALS, DIGITS, SMALL, Fonts
from scripts.base.inks import Ink, Picture, Rng, paper_and_ink, some
from scripts.base.letters import Letters, place
from scripts.base.strokes import Strokes

ALPHABETS = (  # with how often each is drawn
    (DIGITS, 0.16),
    (CAPITALS, 0.12),
    (SMALL, 0.12),
    (DIGITS + CAPITALS, 0.17),
    (DIGITS + SMALL, 0.17),
    (CAPITALS + SMALL, 0.10),
    (DIGITS + CAPITALS + SMALL, 0.16),
)
CONFUSABLE = "0Oo1lI"
PACKAGE = 0.3  # share of captchas that the package `captcha` draws
LENGTHS = {1: 0.02, 2: 0.03, 3: 0.12, 4: 0.28, 5: 0.21, 6: 0.17, 7: 0.08, 8: 0.05, 9: 0.02, 10: 0.02}


def captcha(fonts: Fonts, rng: Rng) -> tuple[NDArray[np.uint8], str]:
    """One captcha, RGB uint8 [H, W, 3] with H from 18 to 70, and its text ("" once in a while)."""
    text = _text(rng)
    height = int(rng.integers(18, 26) if rng.random() < 0.3 else rng.integers(24, 71))
    if rng.random() < 0.015:
        text = ""
    if text and rng.random() < PACKAGE:
        return package.captcha(text, fonts, rng), text
    letters = place(text, height, fonts, rng)
    text = text[: len(letters.glyphs)]
    paper, ink = paper_and_ink(rng)
    picture = _paper(height, letters.width, paper, rng)
    strokes = Strokes(paper, ink, rng)
    places = rng.random(3) < (0.3, 0.45, 0.2)  # below the text, over it, over it and undistorted
    if places[0]:
        strokes.add(picture)
    write(picture, letters, ink, rng)
    if places[1]:
        strokes.add(picture)
    picture = _distort(picture, rng)
    if places[2]:
        strokes.add(picture)
    return _degrade(picture, rng), text


def _text(rng: Rng) -> str:
    characters = ALPHABETS[rng.choice(len(ALPHABETS), p=[p for _, p in ALPHABETS])][0]
    if rng.random() < 0.4:
        characters = "".join(c for c in characters if c not in CONFUSABLE)
    length = int(rng.choice(list(LENGTHS), p=list(LENGTHS.values())))
    return "".join(characters[k] for k in rng.integers(len(characters), size=length))


def _paper(height: int, width: int, colour: NDArray[np.float32], rng: Rng) -> Picture:
    """Plain, graded, cloudy or blotched paper."""
    picture = np.broadcast_to(colour, (height, width, 3)).copy()
    kind = rng.random()
    if kind < 0.15:
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        ramp = (np.cos(angle) * x / width + np.sin(angle) * y / height)[..., None]
        picture += ramp * rng.uniform(-70, 70, 3)
    elif kind < 0.27:
        cells = rng.integers(2, 9, 2)
        grey = 1 if rng.random() < 0.5 else 3
        clouds = rng.uniform(-1, 1, (*cells, grey)) * rng.uniform(10, 50)
        picture += cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC).reshape(
            height, width, grey
        )
    elif kind < 0.4:
        for _ in range(int(rng.integers(5, 5 + width // 2))):
            centre = int(rng.integers(width)), int(rng.integers(height))
            spot = colour + rng.uniform(-75, 40) * np.ones(3) + rng.uniform(-20, 20, 3)
            cv2.circle(picture, centre, int(rng.integers(1, 3)), spot.tolist(), -1, cv2.LINE_AA)
    elif kind < 0.45:
        step, shade = int(rng.integers(4, 13)), (colour + rng.uniform(-90, 30, 3)).tolist()
        for x0 in range(int(rng.integers(step)), width, step):
            cv2.line(picture, (x0, 0), (x0, height), shade, 1)
        for y0 in range(int(rng.integers(step)), height, step):
            cv2.line(picture, (0, y0), (width, y0), shade, 1)
    return np.clip(picture, 0, 255).astype(np.float32)


def write(picture: Picture, letters: Letters, ink: Ink, rng: Rng) -> None:
    """Blend the glyphs into a picture, some pale, some with a shadow or furry edges."""
    layer = np.zeros((*picture.shape[:2], 1), np.float32)
    colours = np.zeros_like(picture)
    pale = some(rng, 0.15, 0.45, 0.9, 1.0)
    for glyph in letters.glyphs:
        y0, x0 = max(glyph.y, 0), max(glyph.x, 0)
        alpha = glyph.alpha[y0 - glyph.y :, x0 - glyph.x :][
            : picture.shape[0] - y0, : picture.shape[1] - x0, None
        ]
        part = slice(y0, y0 + alpha.shape[0]), slice(x0, x0 + alpha.shape[1])
        colours[part] = colours[part] * (1 - alpha) + ink.draw(rng) * alpha
        layer[part] = np.maximum(layer[part], alpha)
    colours /= np.maximum(layer, 1e-3)
    if rng.random() < 0.12:
        layer, colours = _furry(layer, colours, rng)
    if rng.random() < 0.06:
        shift = int(rng.integers(1, 3))
        shadow = np.roll(layer, (shift, int(rng.integers(-2, 3))), (0, 1)) * rng.uniform(0.2, 0.6)
        picture *= 1 - shadow
    if rng.random() < 0.05:  # characters of stripes
        stripes = (np.arange(picture.shape[0]) // int(rng.integers(1, 3)) % 2)[:, None, None]
        layer *= np.where(stripes, 1, rng.uniform(0.2, 0.6)).astype(np.float32)
    picture[:] = picture * (1 - pale * layer) + colours * pale * layer


def _furry(layer: Picture, colours: Picture, rng: Rng) -> tuple[Picture, Picture]:
    """Ink scattered over its surroundings: every pixel is taken from nearby, a few times over."""
    height, width = layer.shape[:2]
    reach = rng.uniform(0.015, 0.06, 2) * height
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    both = np.concatenate([layer, colours], 2)
    spread = [
        cv2.remap(both, (x + reach[0] * rng.normal(size=x.shape)).astype(np.float32),
                  (y + reach[1] * rng.normal(size=y.shape)).astype(np.float32), cv2.INTER_LINEAR)
        for _ in range(int(rng.integers(1, 4)))
    ]  # fmt: skip
    mean = np.mean(spread, 0)
    return np.maximum(mean[..., :1], 0.6 * layer * (rng.random() < 0.5)), np.maximum(mean[..., 1:], colours)


def _distort(picture: Picture, rng: Rng) -> Picture:
    """Waves across and along, and a tilt of the whole."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    moved = False
    if rng.random() < 0.35:
        x, moved = x + _wave(y, x, height, rng), True
    if rng.random() < 0.35:
        y, moved = y + _wave(x, y, height, rng), True
    if rng.random() < 0.12:
        y, moved = y + (x - width / 2) * rng.uniform(-0.1, 0.1) * min(1, 3 * height / width), True
    if not moved:
        return picture
    return np.asarray(
        cv2.remap(
            picture,
            x.astype(np.float32),
            y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )


def _wave(along: Picture, across: Picture, height: int, rng: Rng) -> Picture:
    period = height * rng.uniform(0.5, 2.5)
    size = min(rng.uniform(0.01, 0.09) * height, period / 9)
    lean = rng.uniform(-0.5, 0.5)
    return np.asarray(
        size * np.sin(2 * np.pi * (along + lean * across) / period + rng.uniform(0, 2 * np.pi)), np.float32
    )


def _degrade(picture: Picture, rng: Rng) -> NDArray[np.uint8]:
    """Blur, noise, coarse pixels, compression, few grey levels, a frame: what saving and sending adds."""
    height, width = picture.shape[:2]
    if rng.random() < 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.03 * height)), np.float32)
    if rng.random() < 0.12 and height > 24:
        coarse = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_NEAREST
        small = int(width * 20 / height), 20
        picture = np.asarray(cv2.resize(picture, small, interpolation=coarse), np.float32)
    if rng.random() < 0.25:
        picture = picture + rng.normal(0, rng.uniform(3, 25), (*picture.shape[:2], rng.choice([1, 3])))
    if rng.random() < 0.1:
        corner = picture.shape[1] - 1, picture.shape[0] - 1
        cv2.rectangle(picture, (0, 0), corner, rng.uniform(0, 255, 3).tolist(), 1)
    if rng.random() < 0.3:
        picture = np.repeat(picture @ np.array([0.3, 0.59, 0.11])[:, None], 3, 2)
    if rng.random() < (0.25 if height < 26 else 0.08):
        picture = _few_levels(picture, rng)
    pixels: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 92))])
        pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(pixels)


def _few_levels(picture: Picture, rng: Rng) -> Picture:
    """Two levels, or everything pale whitened, as cleaned captchas are."""
    dark, light = np.percentile(picture, [3, 80])
    if light - dark < 60:
        return picture
    middle = dark + (light - dark) * rng.uniform(0.45, 0.7)
    if rng.random() < 0.5:
        return np.where(picture > middle, 255.0, 0.0)
    return np.where(picture > middle, 255.0, picture)
