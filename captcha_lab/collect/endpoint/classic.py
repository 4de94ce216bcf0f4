"""The `classic` captcha style: what the endpoint of the thesis served, drawn anew.

The real one (80x20 for four characters) draws each character in one of nine forms (slants and
turns), at a fixed place: wide ones overrun their 20-pixel cell. Ink is dark, of one random colour per
character; pale grey blotches lie over everything. The forms here were set beside the originals by eye.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from captcha_lab.collect.endpoint.drawn import add_strokes, check_alphabet, font
from captcha_lab.collect.endpoint.traits import STYLES, Traits
from captcha_lab.errors import UsageError

__all__ = ["MEDIA_TYPE", "check_alphabet", "encode", "render"]

MEDIA_TYPE = "image/jpeg"
HEIGHT = 20
CELL = 20  # pixels a character is given; wide glyphs take more
CANVAS = 32  # a glyph is drawn on CANVAS x CANVAS around its cell, so that overrun is not lost
MARGIN = (CANVAS - CELL) // 2
SUPERSAMPLE = 8

# (slant: horizontal shift per unit of height; turn: degrees, positive anticlockwise): three upright or
# italic, three turned a little, three turned a lot.
FORMS = (
    (0.0, 0.0),
    (0.13, 0.0),
    (0.26, 0.0),
    (0.0, 9.0),
    (0.13, 9.0),
    (0.05, -9.0),
    (0.0, 25.0),
    (0.1, -26.0),
    (0.22, -16.0),
)

CAP_HEIGHT = 14.4  # pixels; the originals' upright digits are 15 high
EM = round(CAP_HEIGHT * SUPERSAMPLE / 0.729)  # DejaVu's capitals are 0.729 em high
LEFT = 4.5  # pixels from the cell's left edge to the glyph's: why wide glyphs overrun to the right
CONDENSE = 0.92  # the originals' letters are narrower than DejaVu's
STROKE = 1  # supersampled pixels added around every stroke
INK_COVERAGE = 0.36  # a pixel is inked from this share of its area: strokes of two to three pixels, as served

CLOSER = 5  # pixels by which cells overlap where characters are to touch

TRAITS = STYLES["classic"].traits
MAX_INK = 96  # a channel of a dark colour is below this
BLOTCHES_PER_CELL = 9
BLOTCH_GREY = (170, 212)
JPEG_QUALITY = 75  # the quantisation tables found in the originals


@lru_cache(maxsize=4096)
def glyph_mask(character: str, form: int, number: int = 0) -> NDArray[np.bool_]:
    """Where one character has ink: bool [CANVAS, CANVAS], its cell starting at (MARGIN, MARGIN).

    `form` indexes FORMS, `number` the endpoint's fonts.
    """
    face = font(number, EM)
    slant, turn = FORMS[form]
    side = CANVAS * SUPERSAMPLE
    page = Image.new("L", (side, side), 0)
    centre = side / 2
    left = (MARGIN + LEFT) * SUPERSAMPLE
    bearing, _, _, descent = face.getbbox(character, anchor="ls")
    # Tails (J, Q) are raised half way, so that the lower edge cuts little of them.
    baseline = centre + CAP_HEIGHT * SUPERSAMPLE / 2 - max(descent, 0) / 2
    ImageDraw.Draw(page).text(
        (left - bearing, baseline), character, 255, face, anchor="ls", stroke_width=STROKE
    )
    # Output pixel (x, y) is taken from the page at A (x, y): undo condensing about `left`, slant about the centre.
    a, b = 1 / CONDENSE, slant / CONDENSE
    page = page.transform(
        page.size,
        Image.Transform.AFFINE,
        (a, b, left - a * left - b * centre, 0, 1, 0),
        Image.Resampling.BILINEAR,
    )
    page = page.rotate(turn, Image.Resampling.BILINEAR)
    coverage = np.asarray(page.resize((CANVAS, CANVAS), Image.Resampling.BOX))
    return coverage >= 255 * INK_COVERAGE


def render(text: str, rng: np.random.Generator, traits: Traits = TRAITS) -> NDArray[np.uint8]:
    """Draw one captcha.

    Args:
        text: its characters; each takes a cell of 20 pixels.
        rng: where forms, colours and blotches come from; the same state draws the same picture.
        traits: of the picture; the style's own unless one is changed.

    Returns:
        uint8 [20, W, 3] RGB, dark ink on white; W is 20 pixels a character, less where they touch.

    Raises:
        UsageError: the text is empty.
    """
    if not text:
        raise UsageError("A captcha needs at least one character: give --length 1 or more.")
    step = CELL - CLOSER if traits.touching else CELL
    width = step * (len(text) - 1) + CELL
    # Drawn with a margin all round, then cropped: overrun at the edges is lost as it is in the originals.
    page = np.full((HEIGHT + 2 * MARGIN, width + 2 * MARGIN, 3), 255, np.uint8)
    forms = len(FORMS) if traits.slanted else 1
    for k, character in enumerate(text):
        number = int(rng.integers(traits.fonts)) if traits.fonts > 1 else 0
        mask = glyph_mask(character, int(rng.integers(forms)), number)
        ink = rng.integers(0, MAX_INK, 3, np.uint8) if traits.coloured else np.zeros(3, np.uint8)
        page[: mask.shape[0], k * step : k * step + CANVAS][mask] = ink
    picture = np.ascontiguousarray(page[MARGIN : MARGIN + HEIGHT, MARGIN : MARGIN + width])
    _blot(picture, BLOTCHES_PER_CELL * len(text), rng)
    add_strokes(picture, traits.strokes, (MAX_INK // 2,) * 3, rng)
    return 255 - picture if traits.inverse else picture


# A blotch: how much of its grey each pixel of a 3x3 disc takes.
_DISC = np.array([[0.3, 1, 0.3], [1, 1, 1], [0.3, 1, 0.3]])[..., None]


def _blot(picture: NDArray[np.uint8], count: int, rng: np.random.Generator) -> None:
    """Darken a uint8 [H, W, 3] picture by `count` pale discs, in place; ink stays as dark as it is."""
    height, width = picture.shape[:2]
    for _ in range(count):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        grey = int(rng.integers(*BLOTCH_GREY))
        top, left = max(y - 1, 0), max(x - 1, 0)
        part = picture[top : y + 2, left : x + 2]
        disc = _DISC[top - y + 1 :, left - x + 1 :][: part.shape[0], : part.shape[1]]
        np.minimum(part, (255 - disc * (255 - grey)).astype(np.uint8), out=part)


def encode(picture: NDArray[np.uint8]) -> bytes:
    """JPEG bytes of a uint8 [H, W, 3] picture, as the site served them."""
    out = BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
