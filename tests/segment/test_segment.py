from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from captcha_lab.errors import UsageError
from captcha_lab.segment import Segmenter
from captcha_lab.segment.crop import crop, fit_square
from captcha_lab.segment.inspect import flags
from captcha_lab.segment.method import method_names
from captcha_lab.segment.methods.equal import boundaries
from captcha_lab.segment.preview import preview
from captcha_lab.segment.threshold import ink_levels, to_grey, whiten
from captcha_lab.store.images import read_image

EQUAL = [(0, 0, 20, 20), (20, 0, 40, 20), (40, 0, 60, 20), (60, 0, 80, 20)]


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


def test_a_captcha_narrower_than_its_cells_has_none() -> None:
    assert Segmenter().boxes([paper(width=3), paper()]) == [[], EQUAL]


def test_cells_of_the_right_size_are_cut_and_nothing_else() -> None:
    image = np.arange(1600, dtype=np.uint32).reshape(1, 20, 80).astype(np.uint8)
    glyphs = crop(image, [EQUAL], 20, "pad")
    for k in range(4):
        np.testing.assert_array_equal(glyphs[k], image[0, :, 20 * k : 20 * k + 20])


def test_pixels_come_from_the_boxes_given_whatever_found_them() -> None:
    image = np.arange(1600, dtype=np.uint32).reshape(1, 20, 80).astype(np.uint8)
    image[image == 255] = 254
    boxes = [(3, 0, 23, 20), (40, 0, 60, 20), (70, 0, 90, 20)]  # the last leaves the picture
    glyphs = crop(image, [boxes], 20, "stretch")
    np.testing.assert_array_equal(glyphs[0], image[0, :, 3:23])
    np.testing.assert_array_equal(glyphs[1], image[0, :, 40:60])
    assert glyphs.shape == (3, 20, 20)


def test_a_tall_cell_keeps_its_proportions_or_is_stretched() -> None:
    cell = np.zeros((40, 20), np.uint8)  # all ink
    padded, stretched = fit_square(cell, 20), fit_square(cell, 20, "stretch")
    assert padded.shape == stretched.shape == (20, 20)
    assert (stretched == 0).all()
    assert (padded[:, :5] == 255).all()
    assert (padded[:, 5:15] == 0).all()


@pytest.mark.parametrize("shape", [(60_000, 8), (8, 60_000)])
def test_a_line_is_shrunk_before_it_is_laid_on_a_square(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a square of its own length it took 3.6 gigabytes."""
    squares: list[np.ndarray] = []
    border = cv2.copyMakeBorder

    def recorded(*parts: Any, **how: Any) -> Any:
        squares.append(border(*parts, **how))
        return squares[-1]

    monkeypatch.setattr(cv2, "copyMakeBorder", recorded)
    glyph = fit_square(np.zeros(shape, np.uint8), 20)
    assert max(square.nbytes for square in squares) <= 2000 * 2000
    assert glyph.shape == (20, 20)
    assert glyph.min() < 255


def test_images_of_several_sizes_come_back_in_order() -> None:
    images = [paper(), paper(30, 70), paper()]
    images[2][8:12, 4:8] = 0
    images[1][10:20, 4:10] = 0
    glyphs = np.stack(Segmenter().cut(images))
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
    assert flags(ink, EQUAL) == ["seam", "fragment", "fragment", "empty"]


def test_clean_cells_have_no_flags() -> None:
    ink = np.zeros((20, 80), bool)
    for k in range(4):
        ink[5:15, 20 * k + 6 : 20 * k + 14] = True
    assert flags(ink, EQUAL) == ["", "", "", ""]


# Cells by ink


def written(*spans: tuple[int, int], width: int = 120) -> np.ndarray:
    """A captcha with a solid character in each span of columns, on rows 5 to 25."""
    image = paper(30, width)
    for x0, x1 in spans:
        image[5:25, x0:x1] = 0
    return image


def columns(boxes: list[tuple[int, int, int, int]]) -> list[tuple[int, int]]:
    return [(x0, x1) for x0, _, x1, _ in boxes]


def test_characters_anywhere_of_any_number_get_a_cell_each() -> None:
    spans = ((3, 12), (15, 30), (44, 50), (80, 95), (97, 110))
    ink = Segmenter(glyphs=0, method="ink")
    assert columns(ink.boxes([written(*spans)])[0]) == list(spans)
    assert ink.boxes([written(*spans)])[0][0] == (3, 5, 12, 25)  # the height of the writing
    assert columns(ink.boxes([written(*spans[:2])])[0]) == list(spans[:2])


def test_a_dot_belongs_to_the_letter_below_it() -> None:
    image = written((40, 52))
    image[12:25, 20:26] = 0
    image[5:9, 21:25] = 0
    assert columns(Segmenter(glyphs=0, method="ink").boxes([image])[0]) == [(20, 26), (40, 52)]


def test_a_speck_is_no_character() -> None:
    image = written((20, 32), (40, 52))
    image[2, 100] = 0
    assert columns(Segmenter(glyphs=0, method="ink").boxes([image])[0]) == [(20, 32), (40, 52)]


def test_touching_characters_are_split_where_the_ink_is_thinnest() -> None:
    image = written((10, 22), (30, 42), (43, 56))
    image[14:16, 42] = 0  # one column of two pixels holds the last two together
    for cells in (0, 3):
        boxes = Segmenter(glyphs=cells, method="ink").boxes([image])[0]
        assert columns(boxes) == [(10, 22), (30, 42), (42, 56)], cells


def test_the_number_of_characters_is_kept_where_it_is_known() -> None:
    image = written((10, 20), (24, 34), (60, 70), (90, 100))
    ink = Segmenter(glyphs=0, method="ink")
    assert columns(ink.boxes([image], [3])[0]) == [(10, 34), (60, 70), (90, 100)]
    assert len(ink.boxes([image], [6])[0]) == 6
    assert len(Segmenter(glyphs=5, method="ink").boxes([image])[0]) == 5


def test_paper_without_ink_has_no_cells() -> None:
    for glyphs in (0, 4):
        assert Segmenter(glyphs=glyphs, method="ink").boxes([paper(), paper(1, 1)]) == [[], []]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"glyphs": 0}, "at least 1 glyph"),
        ({"threshold": 255}, "0 to 254"),
        ({"threshold": "yen"}, "'otsu' or a grey level"),
        ({"size": 4}, "smaller than 8"),
        ({"fit": "crop"}, "'pad' or 'stretch'"),
        ({"glyphs": -1, "method": "ink"}, "at least 1 glyph"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Segmenter(**options)


def test_a_segmenter_survives_json_and_its_version_tells_settings_apart() -> None:
    segmenter = Segmenter(5, 120, True, 28, "stretch")
    assert Segmenter.from_dict(segmenter.to_dict()) == segmenter
    assert len({Segmenter().version, segmenter.version, Segmenter(binary=True).version}) == 3
    assert len({Segmenter(method=name).version for name in method_names()}) == len(method_names()) >= 2


def test_segmenters_and_cuts_made_before_are_known_again() -> None:
    before = {"glyphs": 4, "threshold": "otsu", "binary": False, "size": 20, "fit": "pad"}
    assert Segmenter.from_dict(before) == Segmenter()
    assert Segmenter().version == "quarter-1 glyphs=4 threshold=otsu binary=False size=20 fit=pad"


def test_an_unknown_method_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="equal or ink"):
        Segmenter(method="scissors").boxes([paper()])


def test_the_preview_marks_trouble_in_red() -> None:
    clean, seam = paper(), paper()
    for k in range(4):
        clean[5:15, 20 * k + 6 : 20 * k + 14] = 0
        seam[5:15, 20 * k + 6 : 20 * k + 14] = 0
    seam[8:10, 14:26] = 0
    segmenter = Segmenter()
    red = [
        (preview([image], segmenter, segmenter.boxes([image])) == (220, 60, 60)).all(axis=2).any()
        for image in (clean, seam)
    ]
    assert red == [False, True]
    images = [clean, paper(30, 70), seam]
    assert preview(images, segmenter, segmenter.boxes(images)).ndim == 3
    assert preview([paper(1, 1)], segmenter, [[]]).ndim == 3


def test_the_real_captchas_cut_into_readable_quarters(shared_data: Path) -> None:
    image = read_image(next((shared_data / "ustc" / "originals").glob("8MH2*")))
    boxes = Segmenter().boxes([image])
    glyphs = Segmenter().crop([image], boxes)
    assert glyphs.shape == (4, 20, 20)
    # The pale blotches are gone, the ink is not.
    assert all(20 < (glyph < 255).sum() < 160 for glyph in glyphs)
    assert "seam" in Segmenter().flags([image], boxes)[0][1]  # the M overruns its cell
