"""The classic style: seeded, of the promised shape, and like the originals in what can be counted."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captcha_lab.alphabet import THESIS_ALPHABET
from captcha_lab.collect.endpoint import classic
from captcha_lab.errors import UsageError


def draw(text: str, seed: int) -> np.ndarray:
    return classic.render(text, np.random.default_rng(seed))


@pytest.mark.parametrize("length", [1, 4, 6])
def test_shape_follows_the_text(length: int) -> None:
    picture = draw("W" * length, 0)
    assert picture.shape == (20, 20 * length, 3)
    assert picture.dtype == np.uint8


def test_same_seed_same_picture_other_seed_other_picture() -> None:
    assert np.array_equal(draw("A7KX", 5), draw("A7KX", 5))
    assert not np.array_equal(draw("A7KX", 5), draw("A7KX", 6))


def test_ink_is_dark_and_coloured_and_paper_white() -> None:
    picture = draw("MMMM", 1)
    ink = picture[(picture < classic.MAX_INK).all(axis=2)]
    assert len(np.unique(ink, axis=0)) == 4  # one colour per character
    assert (picture == 255).all(axis=2).mean() > 0.4


def test_blotches_never_lighten_or_hide_ink() -> None:
    picture = draw("8888", 2)
    mask = (picture < classic.MAX_INK).all(axis=2)
    blotch = ~mask & (picture < 255).any(axis=2)
    assert blotch.any()
    assert picture[blotch].min() >= classic.BLOTCH_GREY[0]


def test_every_character_differs_from_every_other_in_every_form() -> None:
    seen: dict[bytes, str] = {}
    for character in THESIS_ALPHABET:
        for form in range(len(classic.FORMS)):
            mask = classic.glyph_mask(character, form)
            assert 15 < mask.sum() < 200, (character, form)
            assert seen.setdefault(mask.tobytes(), character) == character


def test_wide_characters_overrun_their_cell_and_narrow_ones_do_not() -> None:
    def overrun(character: str) -> int:
        right = classic.MARGIN + classic.CELL
        return sum(
            int(classic.glyph_mask(character, form)[:, right:].sum()) for form in range(len(classic.FORMS))
        )

    assert overrun("W") > 0
    assert overrun("M") > 0
    assert overrun("3") == 0


def test_a_character_the_font_lacks_is_named() -> None:
    with pytest.raises(UsageError, match="\U0001f984"):
        classic.check_alphabet("AB\U0001f984", classic.TRAITS)


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one character"):
        draw("", 0)


def test_like_the_originals_in_ink_blotches_and_coding(shared_data: Path) -> None:
    def facts(image: Image.Image) -> tuple[float, float]:
        grey = np.asarray(image.convert("L")).astype(int)
        return float((grey < 128).mean()), float(((grey > 150) & (grey < 235)).mean())

    paths = sorted((shared_data / "ustc" / "originals").glob("*.jpg"))
    assert paths
    originals = [Image.open(path) for path in paths]
    ours = [
        Image.open(io.BytesIO(classic.encode(draw(path.stem, seed)))) for path in paths for seed in range(20)
    ]
    assert ours[0].size == originals[0].size
    assert vars(ours[0])["quantization"] == vars(originals[0])["quantization"]  # the same JPEG tables
    ink, blotch = np.mean([facts(image) for image in ours], axis=0)
    real_ink, real_blotch = np.mean([facts(image) for image in originals], axis=0)
    assert ink == pytest.approx(real_ink, rel=0.35)
    assert blotch == pytest.approx(real_blotch, rel=0.35)
