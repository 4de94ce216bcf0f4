"""What the built-in endpoint's styles look like, trait by trait; without heavy imports, as `--help` lists them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from string import ascii_lowercase
from typing import Any

from captcha_lab.alphabet import THESIS_ALPHABET


@dataclass(frozen=True)
class Traits:
    """What of a picture can be changed, one trait at a time.

    Attributes:
        shortest: characters that a captcha has at least.
        longest: characters that it has at most; each number between is equally frequent.
        touching: neighbours touch or overlap, so that no threshold cuts them.
        slanted: characters lean or are turned, each picture or character otherwise.
        strokes: lines drawn across the text.
        fonts: number of fonts, drawn anew for each character.
        coloured: ink in colours, not in black.
        inverse: light characters on a dark ground.
    """

    shortest: int = 4
    longest: int = 4
    touching: bool = False
    slanted: bool = False
    strokes: int = 0
    fonts: int = 1
    coloured: bool = False
    inverse: bool = False


@dataclass(frozen=True)
class Style:
    """A named look: one sentence on it, its traits, and the characters it draws unless others are asked for."""

    summary: str
    traits: Traits
    alphabet: str = THESIS_ALPHABET


STYLES = {
    "classic": Style(
        "the thesis's: 80x20, four characters in nine forms, dark ink in many colours, pale blotches",
        Traits(slanted=True, coloured=True),
    ),
    "image": Style(
        "the PyPI package captcha: 160x60, turned and warped characters, dots and a curve",
        Traits(touching=True, slanted=True, strokes=1, coloured=True),
    ),
    "variable": Style(
        "three to eight characters in three fonts, unevenly spaced, black on pale paper",
        Traits(shortest=3, longest=8, fonts=3),
    ),
    "slanted": Style(
        "five touching, slanted small letters under two strokes",
        Traits(shortest=5, longest=5, touching=True, slanted=True, strokes=2),
        ascii_lowercase,
    ),
    "coloured": Style(
        "five slanted characters, each in a colour and font of its own, on tinted and blotched paper",
        Traits(shortest=5, longest=5, slanted=True, fonts=3, coloured=True),
    ),
    "inverse": Style(
        "four to six light characters on a dark ground, under a stroke",
        Traits(shortest=4, longest=6, strokes=1, fonts=3, inverse=True),
    ),
}

MAX_LENGTH = 16
MAX_STROKES, MAX_FONTS = 9, 6
_VARIED = 4  # characters by which the longest captcha exceeds the shortest where the length is varied
# Trait, field, its value with the trait, and what a picture without and with it shows.
_SWITCHES: tuple[tuple[str, str, int, str, str], ...] = (
    ("touching", "touching", True, "characters apart", "touching characters"),
    ("slant", "slanted", True, "upright characters", "slanted or turned characters"),
    ("strokes", "strokes", 3, "no strokes", "three strokes"),
    ("fonts", "fonts", 4, "one font", "four fonts"),
    ("colour", "coloured", True, "black ink", "ink in colours"),
    ("inversion", "inverse", True, "dark on light", "light on dark"),
)
_NONE = Traits()


@dataclass(frozen=True)
class Change:
    """One trait changed.

    Attributes:
        trait: its name.
        text: what the pictures show after it.
        added: whether the pictures have the trait now and had not before.
        traits: of the pictures after it.
    """

    trait: str
    text: str
    added: bool
    traits: Traits


def changes(traits: Traits) -> list[Change]:
    """Each trait of a style changed by itself: removed where the pictures have it, else added."""
    low, high = traits.shortest, traits.longest
    if high > low:
        middle = (low + high) // 2
        found = [
            Change(
                "length",
                f"always {middle} characters",
                False,
                replace(traits, shortest=middle, longest=middle),
            )
        ]
    else:
        text = f"{low} to {high + _VARIED} characters"
        found = [Change("length", text, True, replace(traits, longest=high + _VARIED))]
    for name, field, value, without, having in _SWITCHES:
        off = getattr(_NONE, field)
        added = getattr(traits, field) == off
        new: dict[str, Any] = {field: value if added else off}
        found.append(Change(name, having if added else without, added, replace(traits, **new)))
    return found


def traits_from(values: Any) -> Traits | None:
    """Traits as `asdict` wrote them; None where the values are no such thing."""
    known = asdict(Traits())
    if not isinstance(values, dict) or values.keys() != known.keys():
        return None
    if any(type(values[name]) is not type(known[name]) for name in known):
        return None
    found = Traits(**values)
    lengths = 1 <= found.shortest <= found.longest <= MAX_LENGTH
    return found if lengths and 0 <= found.strokes <= MAX_STROKES and 1 <= found.fonts <= MAX_FONTS else None
