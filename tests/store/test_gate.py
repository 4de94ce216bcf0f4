"""The one gate for pictures: hostile and damaged files are refused before, or by, one function, in bounded memory."""

import io
import random
import struct
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import FORMATS, OTHER_FORMATS, decode, identify

ALL = FORMATS | OTHER_FORMATS
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 60, 3), np.uint8)
KINDS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95},
    "GIF": {},
    "BMP": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95},
    "PPM": {},
    "TIFF": {"compression": "tiff_lzw"},
}
KEEPS_ORIENTATION = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")


def encoded(kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, kind, **{**KINDS[kind], **options})
    return file.getvalue()


def chunk(kind: bytes, body: bytes, length: int | None = None, crc: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + body) if crc is None else crc
    return (
        struct.pack(">I", len(body) if length is None else length) + kind + body + struct.pack(">I", checksum)
    )


def grey_png(*chunks: bytes, size: tuple[int, int] = (60, 20), end: bool = True) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + (chunk(b"IEND", b"") if end else b"")


def avif_of_places(items: int, places: int) -> bytes:
    """A file whose table of places costs nearly nothing for each place that it names."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", 8 + len(body)) + kind + body

    table = (
        bytes(6)
        + struct.pack(">H", items)
        + b"".join(struct.pack(">HHH", k, 0, places) for k in range(items))
    )
    size = box(b"iprp", box(b"ipco", box(b"ispe", struct.pack(">III", 0, 60, 20))))
    meta = box(b"meta", bytes(4) + size + box(b"iloc", table))
    return box(b"ftyp", b"avif\0\0\0\0avifmif1") + meta + box(b"mdat", b"\x12\0" * 100_000)


ROWS = zlib.compress(bytes(61 * 20))
HOSTILE = {
    "a chunk that claims 4 gigabytes": grey_png(chunk(b"IDAT", b"", length=0xFFFFFFF0)),
    "a note that claims 4 gigabytes": grey_png(chunk(b"tEXt", b"", length=0xFFFFFFF0), chunk(b"IDAT", ROWS)),
    "a note cut short": grey_png(chunk(b"IDAT", ROWS), chunk(b"zTXt", b"abc", length=40), end=False),
    "a wrong checksum": grey_png(chunk(b"IDAT", ROWS, crc=1)),
    "no end": grey_png(chunk(b"IDAT", ROWS), end=False),
    "no pixels": grey_png(),
    "too few rows": grey_png(chunk(b"IDAT", zlib.compress(bytes(61 * 19)))),
    "rows packed in no known way": grey_png(chunk(b"IDAT", zlib.compress(b"\x09" * 61 * 20))),
    "compressed data that end early": grey_png(chunk(b"IDAT", ROWS[:-3])),
    "another header": grey_png(chunk(b"IHDR", bytes(13)), chunk(b"IDAT", ROWS)),
    "a critical chunk of no known kind": grey_png(chunk(b"EVIL", b""), chunk(b"IDAT", ROWS)),
    "colours by number without a table": b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 20, 8, 3, 0, 0, 0))
    + chunk(b"IDAT", ROWS)
    + chunk(b"IEND", b""),
    "a GIF without its end": encoded("GIF")[:-1],
    "a GIF whose codes have an impossible size": encoded("GIF").replace(b"\x08\xff", b"\xfe\xff", 1),
    "a JPEG without its end": encoded("JPEG")[:-2],
    "a JPEG segment that leads out of the file": b"\xff\xd8\xff\xe1\xff\xff" + encoded("JPEG")[2:],
    "a JPEG of nothing but notes": b"\xff\xd8" + b"\xff\xfe\x00\x04ab" * 9 + b"\xff\xd9",
    "a JPEG of a thousand scans": (lambda d: d[:-2] + d[d.index(b"\xff\xda") : -2] * 999 + d[-2:])(encoded("JPEG")),
    "a WebP that claims more than it has": b"RIFF\xff\xff\xff\x7f" + encoded("WEBP")[8:],
    "a WebP of two sizes": (lambda d: b"RIFF" + struct.pack("<I", len(d) + 22) + b"WEBPVP8X\x0a\0\0\0" + bytes(4)
    + b"\xff\xff\0\xff\xff\0" + d)(encoded("WEBP")[12:]),
    "a BMP whose rows are missing": encoded("BMP")[:400],
    "a BMP of impossible height": encoded("BMP")[:22] + b"\xff\xff\xff\x7f" + encoded("BMP")[26:],
    "a TIFF whose rows lie elsewhere": encoded("TIFF").replace(
        struct.pack("<HHI", 273, 4, 1), struct.pack("<HHI", 273, 4, 0x7FFFFFFF)
    ),
    "a TIFF directory that follows itself": b"II*\0\x08\0\0\0\x01\0"
    + struct.pack("<HHII", 256, 4, 1, 9)
    + b"\x08\0\0\0",
    "an AVIF box that claims everything": encoded("AVIF").replace(b"\0\0\0\x14ispe", b"\x7f\xff\xff\xffispe"),
    "an AVIF whose stream is larger than its header says": encoded("AVIF").replace(
        b"ispe" + struct.pack(">III", 0, 60, 20), b"ispe" + struct.pack(">III", 0, 1, 1)
    ),
    "a PPM that claims more than it has": b"P6 2000 2000 255\n" + bytes(99),
    "DDS": b"DDS " + bytes(200),
    "a letter": b"%PDF-1.4 ...",
    "an AVIF that names its places without end": avif_of_places(8000, 65535),
    "an AVIF that names all of itself a thousand times": avif_of_places(8000, 1),
    "a TIFF whose entries all claim the same megabyte": b"II*\0\x08\0\0\0\xff\xff"
    + struct.pack("<HHII", 273, 4, 0x40000, 8) * 0xFFFF + bytes(1 << 20),
    "a TIFF whose tiles are a thousand times the picture": b"II*\0\x08\0\0\0\x05\0"
    + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in
               ((256, 1), (257, 1), (322, 4096), (323, 4096), (324, 8))) + bytes(4),
    "a JPEG of a million notes": b"\xff\xd8" + b"\xff\xfe\0\2" * 1_000_000 + encoded("JPEG")[2:],
    "a PNG of a million chunks": grey_png(chunk(b"IDAT", b"") * 1_000_000, chunk(b"IDAT", ROWS)),
    "a TIFF that states no width at all": b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 256, 4, 0, 0) + bytes(4),
    "a table of colours cut short": b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 20, 8, 3, 0, 0, 0)) + chunk(b"PLTE", bytes(7))
    + chunk(b"IDAT", ROWS) + chunk(b"IEND", b""),
    "a picture of two million columns": grey_png(chunk(b"IDAT", ROWS), size=(2_000_000, 1)),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused(what: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CaptchaLabError, match=r"damaged|cut short|not taken|not an image|pixels"):
        decode(HOSTILE[what], formats=ALL)
    assert capfd.readouterr() == ("", "")  # no decoder speaks to the terminal itself


ODD = {
    "more pixels than the header says": grey_png(chunk(b"IDAT", zlib.compress(bytes(61 * 20 + 5000)))),
    "something behind the pixels": grey_png(chunk(b"IDAT", ROWS + b"behind")),
    "transparency of an impossible length": grey_png(chunk(b"tRNS", b"abc"), chunk(b"IDAT", ROWS)),
    "colours that no grey picture has": grey_png(chunk(b"PLTE", bytes(7)), chunk(b"IDAT", ROWS)),
    "an end with something in it": grey_png(chunk(b"IDAT", ROWS), chunk(b"IEND", b"x"), end=False),
    "pixels in many pieces": grey_png(*(chunk(b"IDAT", ROWS[k : k + 1]) for k in range(len(ROWS)))),
    "a GIF with a million notes": (lambda d: d[:-1] + b"\x21\xfe" + b"\x01a" * 1_000_000 + b"\0;")(encoded("GIF")),
    "a JPEG with a million fill bytes": b"\xff\xd8" + b"\xff" * 1_000_000 + encoded("JPEG")[2:],
}  # fmt: skip


@pytest.mark.parametrize("what", ODD)
def test_an_odd_file_is_read_without_a_word(what: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert decode(ODD[what]).shape[:2] == (20, 60)
    assert capfd.readouterr() == ("", "")


MEASURE = """
import resource, sys
from pathlib import Path
from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.images import FORMATS, OTHER_FORMATS, decode
decode(Path(sys.argv[2]).read_bytes())
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        decode(path.read_bytes(), formats=FORMATS | OTHER_FORMATS)
    except CaptchaLabError:
        continue
print(peak() - before)
"""


def test_memory_is_bounded_by_what_the_header_justifies(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    sound = tmp_path_factory.mktemp("sound") / "picture.png"
    sound.write_bytes(encoded("PNG"))
    bomb = zlib.compress(bytes(200 << 20))
    files = {
        **HOSTILE,
        "bomb of pixels": grey_png(chunk(b"IDAT", bomb)),
        "bomb of text": grey_png(chunk(b"zTXt", b"a\0\0" + bomb), chunk(b"IDAT", ROWS)),
        "bomb of colours": grey_png(chunk(b"iCCP", b"a\0\0" + bomb), chunk(b"IDAT", ROWS)),
    }
    for k, data in enumerate(files.values()):
        (folder / f"{k:03d}").write_bytes(data)
    code = [sys.executable, "-c", MEASURE, str(folder), str(sound)]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 16 * 1024  # KiB; one of these took 4.3 GB before


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_changed_in_a_picture_is_read_or_refused(kind: str) -> None:
    rng, data = random.Random(kind), encoded(kind)
    refused = 0
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            changed[rng.randrange(len(changed))] = rng.choice((0, 255, rng.randrange(256)))
        if rng.random() < 0.3:
            del changed[rng.randrange(len(changed)) :]
        try:
            picture = identify(bytes(changed), formats=ALL)
            pixels, _ = picture.decode()
            assert pixels.shape[:2] == (picture.height, picture.width)
        except CaptchaLabError:
            refused += 1
    assert refused


@pytest.mark.parametrize("kind", KEEPS_ORIENTATION)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_block_says_in_every_format(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    straight, data = decode(encoded(kind), formats=ALL), encoded(kind, exif=exif)
    turned = {
        1: straight,
        2: straight[:, ::-1],
        3: straight[::-1, ::-1],
        4: straight[::-1],
        5: straight.transpose(1, 0, 2),
        6: np.rot90(straight, -1),
        7: straight[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(straight, 1),
    }[orientation]
    picture = identify(data, formats=ALL)
    assert (picture.height, picture.width) == turned.shape[:2]
    np.testing.assert_array_equal(picture.decode()[0], turned)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "AVIF"])
def test_narrow_and_blank_pictures_are_pictures(kind: str, size: tuple[int, int]) -> None:
    file = io.BytesIO()
    Image.new("RGB", size, "white").save(file, kind)
    assert decode(file.getvalue()).shape == (size[1], size[0], 3)


def test_notes_and_what_follows_a_picture_do_not_matter() -> None:
    plain = decode(encoded("PNG"))
    noted = encoded("PNG")[:33] + chunk(b"tEXt", b"Comment\0hello") + encoded("PNG")[33:]
    np.testing.assert_array_equal(decode(noted + b"trailing bytes"), plain)
    np.testing.assert_array_equal(decode(encoded("JPEG") + b"trailing"), decode(encoded("JPEG")))
