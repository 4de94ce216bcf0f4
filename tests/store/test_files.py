import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.blobs import BlobStore
from captcha_lab.store.files import atomic_path, write_bytes
from captcha_lab.store.images import (
    FORMATS,
    OTHER_FORMATS,
    decode,
    encode,
    identify,
    read_image,
    write_image,
)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


PICTURE = np.arange(20 * 80 * 3, dtype=np.uint32).reshape(20, 80, 3).astype(np.uint8)


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_bytes(path, b"old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_a_file_in_the_way_is_explained(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder belongs")
    with pytest.raises(CaptchaLabError, match="Can't write"):
        write_bytes(tmp_path / "models" / "x", b"")


def test_blobs_are_stored_once_and_checked(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    name = blobs.put(b"bytes", "png")
    assert blobs.put(b"bytes", "png") == name
    assert blobs.get(name, "png") == b"bytes"
    assert blobs.path(name, "png").parent.name == name[:2]
    blobs.path(name, "png").write_bytes(b"other")
    with pytest.raises(CaptchaLabError, match="damaged"):
        blobs.get(name, "png")
    with pytest.raises(CaptchaLabError, match="missing"):
        blobs.get("0" * 64, "png")


@pytest.mark.parametrize("format", ["PNG", "BMP", "WEBP", "GIF", "JPEG"])
def test_every_format_is_read_as_rgb(format: str) -> None:
    red = Image.new("RGB", (80, 20), (255, 0, 0))
    data = encoded(red, format)
    header, pixels = identify(data), decode(data)
    assert (header.width, header.height) == (80, 20)
    assert pixels.shape == (20, 80, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - [255, 0, 0]).max() < 12  # JPEG and WEBP are lossy


def test_grey_stays_grey_and_transparent_lies_on_white() -> None:
    assert decode(encoded(Image.new("L", (4, 3), 7))).tolist() == [[7] * 4] * 3
    half = decode(encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 128))))
    assert half.tolist() == [[[127, 127, 127]]]
    assert decode(encoded(Image.new("CMYK", (8, 8)), "JPEG")).shape == (8, 8, 3)
    deep = Image.fromarray(np.full((2, 2), 0xAB00, np.uint16))
    assert decode(encoded(deep)).tolist() == [[0xAB] * 2] * 2


def test_a_jpeg_of_odd_sampling_is_read() -> None:
    data = bytearray(encoded(Image.fromarray(PICTURE), "JPEG", subsampling=0))
    data[data.index(b"\xff\xc0") + 11] = 0x31  # three samples of brightness for one of each colour
    assert decode(bytes(data)).shape == (20, 80, 3)


def png_of(width: int, height: int) -> bytes:
    """A small PNG whose header promises any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"<html>not found</html>", "not an image"),
        (png_of(20000, 20000), "20000x20000 pixels"),
        (png_of(3000, 3000), "3000x3000 pixels"),
        (encoded(Image.new("RGB", (80, 20)), "TIFF"), "TIFF images are not taken"),
        (encoded(Image.new("RGB", (80, 20)), "PNG")[:60], "damaged|cut short"),
        (encoded(Image.fromarray(PICTURE), "JPEG")[:-300], "damaged|cut short"),
        (encoded(Image.fromarray(PICTURE), "JPEG")[:-300] + b"\xff\xd9", "damaged|cut short"),
        (
            encoded(Image.new("L", (8, 8)), "GIF", save_all=True, append_images=[Image.new("L", (8, 8), 99)]),
            "animated GIF",
        ),
    ],
)
def test_what_is_no_captcha_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(CaptchaLabError, match=says):
        decode(data)


def test_pictures_survive_the_disk(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", PICTURE)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PICTURE)
    with pytest.raises(CaptchaLabError, match=r"\.doc"):
        encode(PICTURE, ".doc")
    with pytest.raises(CaptchaLabError, match=r"none\.png"):
        read_image(tmp_path / "none.png")


@pytest.mark.parametrize("white", [15, 255, 1023, 65535])
def test_grey_maps_of_any_depth_go_from_black_to_white(white: int) -> None:
    pixel = white.to_bytes(1 if white < 256 else 2, "big")
    data = b"P5\n2 1\n%d\n" % white + pixel + bytes(len(pixel))
    assert decode(data, formats=FORMATS | OTHER_FORMATS).tolist() == [[255, 0]]


def test_a_jpeg_with_an_odd_but_harmless_header_is_read() -> None:
    data = bytearray(encoded(Image.fromarray(PICTURE), "JPEG"))
    scan = data.index(b"\xff\xda")
    data[scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big") - 2] = (
        0  # the last coefficient, always 63
    )
    assert decode(bytes(data)).shape == (20, 80, 3)
