"""PNG (ISO/IEC 15948): chunks with their lengths and checksums, and the rows that their data unpack to."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.containers.container import CUT, Container, big, damaged, limited, take
from captcha_lab.store.containers.orientation import orientation

MAGIC = b"\x89PNG\r\n\x1a\n"
# What pixels are made of; text, colour profiles and times are kept from the decoder.
_ONCE = (b"IHDR", b"PLTE", b"tRNS", b"IEND")
_BY_NUMBER = 3  # colour type whose pixels are numbers of colours in a table
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> values of a pixel
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# Adam7: first column and row of each pass, and the steps between them.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_FILTERS = bytes(range(5))


def matches(data: bytes) -> bool:
    """Whether the file begins as a PNG."""
    return data.startswith(MAGIC)


def walk(data: bytes) -> Container:
    """Every chunk up to `IEND`, all of them whole and with the right checksum; what follows is left out.

    Raises:
        CaptchaLabError: a chunk is cut short or damaged, or they make no picture.
    """
    width, height, depth, colour, _ = _header(data)
    bodies: dict[bytes, bytes] = {}
    pixels, frames, stands = [], 1, 1
    for kind, body in limited(_chunks(data)):
        if kind == b"IDAT":
            pixels.append(body)
        elif kind in _ONCE:
            if kind in bodies:
                raise damaged(f"it has two {kind.decode()} chunks")
            if not pixels:  # colours that follow are passed over
                bodies[kind] = body
        elif kind == b"acTL":
            frames = max(frames, big(body, 0, 4))
        elif kind == b"eXIf":
            stands = orientation(body)
        elif not kind[0] & 0x20:  # a critical chunk of a kind that nobody knows
            raise damaged(f"its {kind.decode('latin-1')!r} chunk is of no known kind")
    parts = [MAGIC, _chunk(b"IHDR", bodies[b"IHDR"]), *_colours(bodies, depth, colour)]
    parts += [_chunk(b"IDAT", b"".join(pixels)), _chunk(b"IEND", b"")]
    return Container("PNG", width, height, b"".join(parts), frames, stands)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk, after its checksum was compared."""
    at, kind = len(MAGIC), b""
    while kind != b"IEND":
        length, kind = big(data, at, 4), take(data, at + 4, 4)
        body = take(data, at + 8, length)
        if big(data, at + 8 + length, 4) != zlib.crc32(body, zlib.crc32(kind)):
            raise damaged(f"the checksum of its {kind.decode('latin-1')!r} chunk is wrong")
        yield kind, body
        at += 12 + length


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _colours(bodies: dict[bytes, bytes], depth: int, colour: int) -> list[bytes]:
    """The chunks of colours by number and of transparency, where this kind of picture has them and they are sound.

    What other pictures have of them a decoder passes over, but it says so on the terminal.
    """
    chunks, entries = [], 0
    if colour == _BY_NUMBER:
        palette = bodies.get(b"PLTE", b"")
        if not palette or len(palette) % 3:
            raise damaged("its table of colours is missing or none")
        entries = min(len(palette) // 3, 1 << depth)
        chunks.append(_chunk(b"PLTE", palette[: 3 * entries]))
    clear = bodies.get(b"tRNS", b"")
    if len(clear) == {0: 2, 2: 6}.get(colour) or 0 < len(clear) <= entries:
        chunks.append(_chunk(b"tRNS", clear))
    return chunks


def _header(data: bytes) -> tuple[int, int, int, int, int]:
    if big(data, 8, 4) != 13 or take(data, 12, 4) != b"IHDR":
        raise damaged("it does not begin with its header")
    width, height = big(data, 16, 4), big(data, 20, 4)
    depth, colour, packing, filtering, interlaced = take(data, 24, 5)
    if depth not in _DEPTHS.get(colour, ()) or packing or filtering or interlaced > 1:
        raise damaged("its header asks for what no PNG has")
    return width, height, depth, colour, interlaced


def check_pixels(container: Container) -> bytes:
    """Unpack the rows, no more of them than the header's size asks for, and look whether all are there.

    The decoder would find the same, but prints what it finds to the terminal; so it gets no more than these rows.

    Returns:
        What the decoder gets.

    Raises:
        CaptchaLabError: the compressed data are damaged or end too early.
    """
    data = container.data
    width, height, depth, colour, interlaced = _header(data)
    bits = depth * _SAMPLES[colour]
    strides = [(-(-columns * bits // 8) + 1, rows) for columns, rows in _sizes(width, height, interlaced)]
    expected = sum(stride * rows for stride, rows in strides)
    at = len(MAGIC)
    while data[at + 4 : at + 8] != b"IDAT":
        at += 12 + big(data, at, 4)
    head, packed = data[:at], memoryview(data)[at + 8 : at + 8 + big(data, at, 4)]
    unpacker = zlib.decompressobj()
    try:
        rows = unpacker.decompress(packed, expected + 1)
        if len(rows) == expected and not unpacker.eof:
            raise CaptchaLabError(CUT)
        extra = len(rows) > expected or unpacker.unused_data
    except zlib.error as error:
        raise damaged("its compressed pixels") from error
    if len(rows) < expected:
        raise CaptchaLabError(CUT)
    at = 0
    for stride, count in strides:
        if rows[at : at + stride * count : stride].translate(None, _FILTERS):
            raise damaged("a row is packed in no known way")
        at += stride * count
    if extra:
        return head + _chunk(b"IDAT", zlib.compress(rows[:expected], 1)) + _chunk(b"IEND", b"")
    return data


def _sizes(width: int, height: int, interlaced: int) -> list[tuple[int, int]]:
    """Columns and rows of each pass that is not empty."""
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    return [(columns, rows) for columns, rows in sizes if columns > 0 and rows > 0]
