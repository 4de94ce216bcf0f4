"""AVIF: the boxes of its file, and the size that its AV1 stream itself states.

A decoder makes room for what the stream says, not for what the boxes say, so both are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.containers.container import CUT, Container, big, damaged, limited, take

# Boxes that hold boxes, and the bytes before those.
_FOLDERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0}
_SEQUENCE_HEADER, _HAS_SIZE, _HAS_EXTENSION = 1, 2, 4
# Quarter turns to the left, and the way it is mirrored after them (-1: none, 0: upside down, 1: sideways), as in Exif.
_ORIENTATIONS = {
    (0, -1): 1,
    (0, 1): 2,
    (2, -1): 3,
    (0, 0): 4,
    (1, 0): 5,
    (3, -1): 6,
    (3, 0): 7,
    (1, -1): 8,
    (1, 1): 7,
    (2, 0): 2,
    (2, 1): 4,
    (3, 1): 5,
}
MAX_PLACES = 1000  # stretches of the file that an item lies in
MAX_LOCATIONS = 1 << 16  # bytes of the box that says where everything lies


def matches(data: bytes) -> bool:
    """Whether the file begins as an AVIF."""
    return data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis")


def walk(data: bytes) -> Container:
    """Every box of the file, and the sequence headers of its streams.

    Raises:
        CaptchaLabError: a box is cut short, or the stream states another size than the boxes.
    """
    sizes: list[tuple[int, int]] = []
    settings: list[memoryview] = []
    locations: list[bytes] = []
    kinds = set()
    angle, mirror = 0, -1
    for kind, body in limited(_boxes(data, 0, len(data))):
        kinds.add(kind)
        if kind == b"ispe":
            sizes.append((big(body, 4, 4), big(body, 8, 4)))
        elif kind == b"irot":
            angle = big(body, 0, 1) & 3
        elif kind == b"imir":
            mirror = big(body, 0, 1) & 1
        elif kind == b"av1C":
            settings.append(memoryview(body)[4:])
        elif kind == b"iloc":
            locations.append(body)
    if not sizes or not {b"meta", b"mdat"} <= kinds:
        raise damaged("its boxes make no picture")
    places = limited((place for body in locations for place in _extents(body)), MAX_PLACES)
    stretches = chain(settings, (_stretch(data, *place) for place in places))
    units = limited(unit for stretch in stretches for unit in _units(stretch))
    streams = [_size(body) for kind, body in units if kind == _SEQUENCE_HEADER]
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    if not streams or any(w > width or h > height for w, h in streams):
        raise damaged("its stream has another size than its header says")
    film = data[8:12] == b"avis" or b"moov" in kinds
    return Container("AVIF", width, height, data, 2 if film else 1, _ORIENTATIONS[angle, mirror])


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of all boxes between two places, and of those inside of them."""
    stack = [(start, end)]
    while stack:
        at, end = stack.pop()
        while at < end:
            size, kind, head = big(data, at, 4), take(data, at + 4, 4), 8
            if size == 1:
                size, head = big(data, at + 8, 8), 16
            elif size == 0:
                size = end - at
            if size < head or at + size > end:
                raise CaptchaLabError(CUT)
            yield kind, data[at + head : at + size]
            if kind in _FOLDERS:
                stack.append((at + head + _FOLDERS[kind], at + size))
            at += size


def _extents(body: bytes) -> Iterator[tuple[int, int]]:
    """Address and length of everything that an item-location box names in the file itself (ISO/IEC 14496-12)."""
    if len(body) > MAX_LOCATIONS:
        raise damaged("it has more parts than any picture needs")
    version = big(body, 0, 1)
    bits = _Bits(take(body, 4, len(body) - 4))
    offset, length, base, index = (8 * bits.read(4) for _ in range(4))
    long = 32 if version == 2 else 16
    for _ in range(bits.read(long)):
        bits.read(long)
        elsewhere = bits.read(16) & 15 if version else 0
        bits.read(16)
        start = bits.read(base)
        for _ in range(bits.read(16)):
            bits.read(index if version else 0)
            place = start + bits.read(offset), bits.read(length)
            if not elsewhere:
                yield place


def _stretch(data: bytes, start: int, length: int) -> memoryview:
    if start + length > len(data):
        raise CaptchaLabError(CUT)
    return memoryview(data)[start : start + length if length else None]


def _units(stream: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Kind and content of a stretch of AV1 units; a stretch that is none gives what it gives."""
    at = 0
    while at < len(stream):
        head = stream[at]
        kind = head >> 3 & 15
        at += 2 if head & _HAS_EXTENSION else 1
        if head & 0x81:
            return
        length = len(stream) - at
        if head & _HAS_SIZE:
            length, at = _leb128(stream, at)
        if kind == _SEQUENCE_HEADER and at + length > len(stream):
            raise CaptchaLabError(CUT)
        yield kind, stream[at : at + length]
        at += length


def _leb128(data: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, and the place after it."""
    value = 0
    for shift in range(0, 56, 7):
        byte = big(data, at, 1)
        at += 1
        value |= (byte & 127) << shift
        if not byte & 128:
            return value, at
    raise damaged("a number without end in its stream")


def _size(header: memoryview) -> tuple[int, int]:
    """Greatest width and height of a sequence header (AV1, section 5.5.1)."""
    bits = _Bits(header)
    bits.read(4)  # profile, still picture
    if bits.read(1):  # reduced header
        bits.read(5)
    else:
        if bits.read(1):  # timing
            bits.read(64)
            if bits.read(1):
                bits.read_varied()
            if bits.read(1):  # decoder model
                raise damaged("its stream is that of a film")
        initial_delay = bits.read(1)
        for _ in range(bits.read(5) + 1):
            bits.read(12)
            if bits.read(5) > 7:
                bits.read(1)
            if initial_delay and bits.read(1):
                bits.read(4)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


class _Bits:
    def __init__(self, data: bytes | memoryview) -> None:
        self.value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def read(self, count: int) -> int:
        """The next bits as a number."""
        self.left -= count
        if self.left < 0:
            raise CaptchaLabError(CUT)
        return self.value >> self.left & ((1 << count) - 1)

    def read_varied(self) -> int:
        """A number of as many bits as the zeros before it say."""
        zeros = 0
        while not self.read(1):
            zeros += 1
        return self.read(zeros)
