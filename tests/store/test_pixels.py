"""Pictures in every form that people have them in give the same pixels, and anything else our errors."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import encode
from captcha_lab.store.pixels import pictures, pixels_of

GREY = np.random.default_rng(0).integers(0, 256, (8, 12), np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (8, 12, 3), np.uint8)
OPAQUE = np.full((8, 12, 1), 255, np.uint8)


@pytest.mark.parametrize("pixels", [GREY, RGB], ids=["grey", "RGB"])
@pytest.mark.parametrize(
    "form",
    [
        lambda p: p,
        lambda p: p.astype(np.int64),
        lambda p: p / 255,
        lambda p: (p / 255).astype(np.float32),
        lambda p: p.astype(np.uint16) * 257,
        lambda p: p.tolist(),
        lambda p: encode(p),
        lambda p: bytearray(encode(p)),
        lambda p: io.BytesIO(encode(p)),
        Image.fromarray,
    ],
)
def test_forms_of_one_picture(form: Callable[[np.ndarray], Any], pixels: np.ndarray) -> None:
    found = pixels_of(form(pixels))
    assert found.dtype == np.uint8
    assert (found == pixels).all()


def test_paths(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(RGB))
    assert (pixels_of(tmp_path / "a.png") == RGB).all()
    assert (pixels_of(str(tmp_path / "a.png")) == RGB).all()


def test_channels() -> None:
    assert (pixels_of(GREY[..., None]) == GREY).all()
    assert (pixels_of(np.concatenate([RGB, OPAQUE], axis=2)) == RGB).all()
    assert (pixels_of(np.concatenate([RGB, 0 * OPAQUE], axis=2)) == 255).all()
    assert pixels_of(np.concatenate([RGB, OPAQUE // 2], axis=2) / 255).shape == (8, 12, 3)
    assert (pixels_of(GREY > 127) == np.where(GREY > 127, 255, 0)).all()


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "YCbCr", "I;16", "I"])
def test_pil_modes(mode: str) -> None:
    image = Image.fromarray(RGB if mode == "YCbCr" else np.full((8, 12), 255, np.uint8))
    found = pixels_of(image.convert("I" if mode == "I;16" else mode))
    assert found.dtype == np.uint8
    assert found.shape in ((8, 12), (8, 12, 3))
    if mode != "YCbCr":
        assert (found >= 254).all()


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    assert (pixels_of(torch.from_numpy(RGB)) == RGB).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros(12), "shape"),
        (np.zeros((3, 8, 12)), "channels last"),
        (np.zeros((2, 8, 12, 3)), "shape"),
        (np.zeros((0, 12)), "shape"),
        (np.zeros((8, 12, 2)), "shape"),
        (RGB.astype(float), "from 0 to 1"),
        (GREY - 1.0, "from 0 to 1"),
        (np.full((8, 12), np.nan), "from 0 to 1"),
        (GREY.astype(int) + 300, "from 0 to 255"),
        (np.full((8, 12), "a"), "no picture"),
        (np.full((8, 12), 1j), "no picture"),
        (None, "shape"),
        (object(), "shape"),
        ([[1, 2], [3]], "no picture"),
        (b"", "empty"),
        (b"no picture", "not an image"),
        ("nowhere.png", "nowhere.png"),
        (Path("/"), "/"),
    ],
)
def test_wrong_things_give_our_errors(wrong: Any, message: str) -> None:
    with pytest.raises(CaptchaLabError, match=message):
        pixels_of(wrong)
    with pytest.raises(CaptchaLabError, match="Picture 1: "):
        pictures([GREY, wrong])


@pytest.mark.parametrize("one", ["a.png", b"...", Path("a.png"), Image.fromarray(GREY), io.BytesIO()])
def test_one_picture_is_no_list(one: Any) -> None:
    with pytest.raises(CaptchaLabError, match="list of pictures"):
        pictures(one)


def test_an_array_of_pictures_is_a_list() -> None:
    assert len(pictures(np.stack([RGB, RGB]))) == 2
    with pytest.raises(CaptchaLabError, match="Picture 0: an array of shape"):
        pictures(GREY)
