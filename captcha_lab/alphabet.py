"""The characters a captcha may contain, and their order: the class numbers of every model and dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from captcha_lab.errors import UsageError

# The thesis's 32 characters: digits and capitals without 0, 1, I and O, which people confuse.
THESIS_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class Alphabet:
    """An ordered set of single printable characters; character k is class k.

    Raises:
        UsageError: the characters are empty, repeat, or include white space or control characters.
    """

    characters: str = THESIS_ALPHABET

    def __post_init__(self) -> None:
        if not self.characters:
            raise UsageError("The alphabet is empty: give its characters, for example --alphabet 0123456789.")
        repeated = sorted({c for c in self.characters if self.characters.count(c) > 1})
        if repeated:
            raise UsageError(
                f"The alphabet {self.characters!r} repeats {', '.join(repeated)}: name each character once."
            )
        bad = [c for c in self.characters if not c.isprintable() or c.isspace()]
        if bad:
            raise UsageError(
                f"The alphabet {self.characters!r} holds {bad[0]!r}: only visible characters can be labels."
            )

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: object) -> bool:
        return character in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self.characters)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {c: k for k, c in enumerate(self.characters)}

    def index(self, character: str) -> int:
        """Class number of one character.

        Raises:
            UsageError: the character is not in the alphabet.
        """
        try:
            return self._index[character]
        except KeyError:
            raise UsageError(f"{character!r} is not in the alphabet {self.characters}.") from None

    def encode(self, text: str) -> list[int]:
        """Class numbers of a text, one per character (see `index` for errors)."""
        return [self.index(c) for c in text]

    def decode(self, classes: Iterable[int]) -> str:
        """The text of a sequence of class numbers."""
        return "".join(self.characters[k] for k in classes)

    def fold(self, text: str) -> str:
        """Change case where only the other case is in the alphabet, so that `a7kx` can be typed for `A7KX`."""
        return "".join(c if c in self._index else self._swap(c) for c in text)

    def _swap(self, character: str) -> str:
        swapped = character.swapcase()
        return swapped if swapped in self._index else character

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> Alphabet:
        """The smallest alphabet (in code-point order) that writes all the texts."""
        return cls("".join(sorted(set().union(*texts))))
