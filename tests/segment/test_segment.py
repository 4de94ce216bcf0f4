from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captcha_lab.errors import UsageError
from captcha_lab.segment import Segmenter
from captcha_lab.segment.inspect import flags
from captcha_lab.segment.preview import preview
from captcha_lab.segment.quarter import boundaries, cells, fit_square
from captcha_lab.segment.threshold import ink_levels, to_grey, whiten
from captcha_lab.store.images import read_image


def paper(height: int = 20, width: int = 80, level: int = 255) -> np.ndarray:
    return np.full((height, width), level, np.uint8)


def test_grey_is_luma() -> None:
    rgb = np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]]], np.uint8)
    assert to_grey(rgb).tolist() == [[[76, 150, 29, 9]]]
    grey = paper()[None]
    assert to_grey(grey) is grey


def test_whitening_keeps_the_inks_grey() -> None:
    image = paper(level=230)
    image[5:15, 10:12] = 60
    image[5:15, 30:32] = 40
    white = whiten(image[None])[0]
    assert set(np.unique(white)) == {40, 60, 255}
    assert set(np.unique(whiten(image[None], binary=True))) == {0, 255}
    assert set(np.unique(whiten(image[None], 50))) == {40, 255}


def test_otsu_splits_two_levels_between_them() -> None:
    image = paper(level=200)
    image[:, :20] = 100
    assert 100 <= ink_levels(image[None], "otsu")[0] < 200


def test_an_image_of_one_level_has_no_ink() -> None:
    for level in (0, 128, 255):
        assert (whiten(paper(level=level)[None]) == 255).all()


def test_boundaries_are_rounded_half_up() -> None:
    assert boundaries(80, 4) == [0, 20, 40, 60, 80]
    assert boundaries(70, 4) == [0, 18, 35, 53, 70]
    assert boundaries(7, 7) == list(range(8))
    with pytest.raises(UsageError, match="3 pixels wide can't be cut into 4"):
        boundaries(3, 4)


def test_cells_of_the_right_size_are_cut_and_nothing_else() -> None:
    image = np.arange(1600, dtype=np.uint32).reshape(1, 20, 80).astype(np.uint8)
    cut = cells(image, 4, 20)
    for k in range(4):
        np.testing.assert_array_equal(cut[0, k], image[0, :, 20 * k : 20 * k + 20])


def test_a_tall_cell_keeps_its_proportions_or_is_stretched() -> None:
    cell = np.zeros((40, 20), np.uint8)  # all ink
    padded, stretched = fit_square(cell, 20), fit_square(cell, 20, "stretch")
    assert padded.shape == stretched.shape == (20, 20)
    assert (stretched == 0).all()
    assert (padded[:, :5] == 255).all()
    assert (padded[:, 5:15] == 0).all()


def test_images_of_several_sizes_come_back_in_order() -> None:
    images = [paper(), paper(30, 70), paper()]
    images[2][8:12, 4:8] = 0
    images[1][10:20, 4:10] = 0
    glyphs = Segmenter().cut_all(images)
    assert glyphs.shape == (3, 4, 20, 20)
    assert (glyphs[0] == 255).all()
    assert (glyphs[1, 0] < 255).any()
    assert (glyphs[2, 0] < 255).sum() == 16


def test_flags_tell_empty_seam_and_fragment() -> None:
    ink = np.zeros((20, 80), bool)
    ink[5:15, 15:22] = True  # most in cell 0, runs over into cell 1
    ink[5:15, 30:36] = True  # cell 1's own glyph
    ink[4:16, 42:50] = True  # cell 2's own glyph …
    ink[8:10, 58:60] = True  # … and a small piece at its right seam
    assert flags(ink, 4) == ["seam", "fragment", "fragment", "empty"]


def test_clean_cells_have_no_flags() -> None:
    ink = np.zeros((20, 80), bool)
    for k in range(4):
        ink[5:15, 20 * k + 6 : 20 * k + 14] = True
    assert flags(ink, 4) == ["", "", "", ""]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"glyphs": 0}, "at least 1 glyph"),
        ({"threshold": 255}, "0 to 254"),
        ({"threshold": "yen"}, "'otsu' or a grey level"),
        ({"size": 4}, "smaller than 8"),
        ({"fit": "crop"}, "'pad' or 'stretch'"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Segmenter(**options)


def test_a_segmenter_survives_json_and_its_version_tells_settings_apart() -> None:
    segmenter = Segmenter(5, 120, True, 28, "stretch")
    assert Segmenter.from_dict(segmenter.to_dict()) == segmenter
    assert len({Segmenter().version, segmenter.version, Segmenter(binary=True).version}) == 3


def test_the_preview_marks_trouble_in_red() -> None:
    clean, seam = paper(), paper()
    for k in range(4):
        clean[5:15, 20 * k + 6 : 20 * k + 14] = 0
        seam[5:15, 20 * k + 6 : 20 * k + 14] = 0
    seam[8:10, 14:26] = 0
    red = [(preview([image], Segmenter()) == (220, 60, 60)).all(axis=2).any() for image in (clean, seam)]
    assert red == [False, True]
    assert preview([clean, paper(30, 70), seam], Segmenter()).ndim == 3


def test_the_real_captchas_cut_into_readable_quarters(shared_data: Path) -> None:
    image = read_image(next((shared_data / "ustc" / "originals").glob("8MH2*")))
    glyphs = Segmenter().cut(image[None])[0]
    assert glyphs.shape == (4, 20, 20)
    # The pale blotches are gone, the ink is not.
    assert all(20 < (glyph < 255).sum() < 160 for glyph in glyphs)
    assert "seam" in Segmenter().flags(image[None])[0][1]  # the M overruns its cell
