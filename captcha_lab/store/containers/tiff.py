"""TIFF 6: its directory, and whether everything that it names lies in the file."""

from __future__ import annotations

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.containers.container import CUT, MAX_PARTS, Container, damaged, take
from captcha_lab.store.containers.orientation import TAG, Order, orientation

_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
}  # type -> of a value
_WIDTH, _HEIGHT, _BITS, _PACKING, _SAMPLES = 256, 257, 258, 259, 277
_STRIPS, _STRIP_SIZES, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES = 273, 279, 322, 323, 324, 325
_PACKINGS = {
    1,
    2,
    3,
    4,
    5,
    8,
    32773,
    32946,
}  # none, fax, LZW, deflate, PackBits, deflate as it was called before
_NAMED = {
    _WIDTH,
    _HEIGHT,
    _BITS,
    _PACKING,
    _SAMPLES,
    _STRIPS,
    _STRIP_SIZES,
    _TILE_WIDTH,
    _TILE_HEIGHT,
    _TILES,
    _TILE_SIZES,
}
MAX_OVERHANG = 1024  # pixels by which a tile may be larger than the picture


def matches(data: bytes) -> bool:
    """Whether the file begins as a TIFF."""
    return data[:4] in (b"II*\0", b"MM\0*")


def walk(data: bytes) -> Container:
    """The first directory and all that it names, and whether others follow.

    Raises:
        CaptchaLabError: something named lies outside of the file, or they make no picture.
    """
    order: Order = "little" if data[:2] == b"II" else "big"
    start = int.from_bytes(take(data, 4, 4), order)
    facts, following, turn = directory(data, start, order)
    width, height = (facts.get(tag, (0,))[0] for tag in (_WIDTH, _HEIGHT))
    bits, samples = facts.get(_BITS, (1,)), facts.get(_SAMPLES, (1,))[0]
    if facts.get(_PACKING, (1,))[0] not in _PACKINGS or not 1 <= samples <= 4 or max(bits, default=99) > 16:
        raise CaptchaLabError("a TIFF packed this way, or of such colours, is not taken")
    tiled = _TILES in facts
    if tiled and any(
        not 0 < facts.get(tag, (0,))[0] <= side + MAX_OVERHANG
        for tag, side in ((_TILE_WIDTH, width), (_TILE_HEIGHT, height))
    ):
        raise damaged("its tiles have an impossible size")
    places, sizes = (
        (facts.get(_TILES, ()), facts.get(_TILE_SIZES, ()))
        if tiled
        else (facts.get(_STRIPS, ()), facts.get(_STRIP_SIZES, ()))
    )
    if not places or len(places) != len(sizes):
        raise damaged("it does not say where its pixels lie")
    if any(place + size > len(data) for place, size in zip(places, sizes, strict=True)):
        raise CaptchaLabError(CUT)
    stands = orientation(data) if turn else 1
    if turn:  # some decoders turn, some don't: none is told, and all pictures are turned in one place
        data = data[:turn] + (1).to_bytes(2, order) + data[turn + 2 :]
    return Container("TIFF", width, height, data, 2 if following else 1, stands)


def directory(data: bytes, start: int, order: Order) -> tuple[dict[int, tuple[int, ...]], int, int]:
    """The numbers of the tags that are needed, the address of the next directory, and of the orientation (0: none).

    Raises:
        CaptchaLabError: the directory, or what it names, lies outside of the data; or it names more than a picture has.
    """
    count = int.from_bytes(take(data, start, 2), order)
    facts: dict[int, tuple[int, ...]] = {}
    turn = 0
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = (int.from_bytes(take(data, at + k, 2), order) for k in (0, 2))
        number, size = int.from_bytes(take(data, at + 4, 4), order), _BYTES.get(kind, 1)
        place = at + 8 if number * size <= 4 else int.from_bytes(take(data, at + 8, 4), order)
        if place + number * size > len(data):
            raise CaptchaLabError(CUT)
        if tag in _NAMED and kind in (1, 3, 4) and number:
            if tag in facts or number > MAX_PARTS:
                raise damaged("it names a part twice, or more of them than any picture has")
            ends = range(place + size, place + size + number * size, size)
            facts[tag] = tuple(int.from_bytes(data[end - size : end], order) for end in ends)
        if tag == TAG and kind == 3 and number == 1:
            turn = place
    after = start + 2 + 12 * count
    return facts, int.from_bytes(data[after : after + 4], order), turn
