"""Conditions: one-hot classes, 0/1 attributes or texts, [N, K] float32, drawn, turned wrong, written as labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from captcha_lab.errors import UsageError


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Class numbers [N] to float32 [N, K].

    Raises:
        UsageError: a number outside 0..K-1.
    """
    labels = np.asarray(labels)
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise UsageError(
            f"Class {int(labels.max())} asked for, but there are {classes} (0 to {classes - 1})."
        )
    return np.eye(classes, dtype=np.float32)[labels.astype(np.int64)]


@dataclass(frozen=True)
class TextCode:
    """Texts as conditions [N, P * A]: P places of A characters, one-hot, all zeros after the last character.

    Attributes:
        characters: the A characters, in order.
        places: P, the most characters of a text.
    """

    characters: tuple[str, ...]
    places: int

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float32 [N, P * A].

        Raises:
            UsageError: a text is empty or too long, or holds a character that is not among these.
        """
        codes = np.zeros((len(texts), self.places, len(self.characters)), np.float32)
        column = {character: k for k, character in enumerate(self.characters)}
        for row, text in enumerate(texts):
            unknown = sorted(set(text) - column.keys())
            if unknown or not 0 < len(text) <= self.places:
                raise UsageError(
                    f"The text {text!r} can't be drawn: the generator knows texts of 1 to {self.places} of the "
                    f"characters {''.join(self.characters)}."
                )
            codes[row, range(len(text)), [column[character] for character in text]] = 1
        return codes.reshape(len(texts), -1)

    def decode(self, conditions: np.ndarray) -> list[str]:
        """Float [N, P * A] to texts."""
        codes = conditions.reshape(len(conditions), self.places, -1)
        return [
            "".join(self.characters[place.argmax()] for place in code if place.max() > 0) for code in codes
        ]

    def draw(self, count: int, lengths: Sequence[int], seed: int) -> list[str]:
        """So many random texts: every length and every character equally likely."""
        rng = np.random.default_rng(seed)
        return ["".join(rng.choice(self.characters, n)) for n in rng.choice(list(lengths), count)]


def uniform_classes(n: int, classes: int, rng: torch.Generator) -> Tensor:
    """One-hot [N, K] with every class equally likely."""
    return torch.eye(classes)[torch.randint(classes, (n,), generator=rng)]


def uniform_texts(n: int, characters: int, lengths: Sequence[int], rng: torch.Generator) -> Tensor:
    """Conditions [N, P * A] of random texts: every length and every character equally likely (see `TextCode`)."""
    places = max(lengths)
    length = torch.tensor(lengths)[torch.randint(len(lengths), (n,), generator=rng)]
    codes = torch.eye(characters)[torch.randint(characters, (n, places), generator=rng)]
    return (codes * (torch.arange(places) < length[:, None])[..., None]).flatten(1)


def wrong_condition(condition: Tensor, exclusive: bool, draws: Tensor) -> Tensor:
    """A condition that is surely not the given one, for the improved conditional GAN.

    Reed et al. 2016, algorithm 1 (there: mismatching text). Classes: one of the K - 1 others, equally likely;
    attributes: one of them flipped.

    Args:
        condition: [N, K].
        exclusive: one-hot classes, else attributes.
        draws: [N] uniform in [0, 1).

    Raises:
        UsageError: there is only one class.
    """
    k = condition.shape[1]
    if exclusive:
        if k < 2:
            raise UsageError("Wrong labels need at least two classes.")
        shift = 1 + (draws * (k - 1)).long()
        return torch.eye(k, device=condition.device)[(condition.argmax(1) + shift) % k]
    flipped = condition.clone()
    rows, columns = torch.arange(len(draws)), (draws * k).long()
    flipped[rows, columns] = 1 - flipped[rows, columns]
    return flipped


Labels = np.ndarray | Sequence[int] | Sequence[str]


def as_condition(
    labels: Labels | None, names: tuple[str, ...], exclusive: bool, places: int = 0
) -> np.ndarray | None:
    """What a caller asks for, as a condition: classes [N] by number or name, or conditions [N, K]; None: unlabelled.

    With `places` the names are characters, and texts [N] of up to so many of them are asked for.

    Raises:
        UsageError: labels for an unlabelled generator or none for a labelled one, an unknown name, the wrong width.
    """
    if labels is None:
        if names:
            raise UsageError("This generator is labelled: say which classes or attributes to make.")
        return None
    if not names:
        raise UsageError("This generator was trained without labels: it can't be asked for a class.")
    if places and all(isinstance(text, str) for text in labels):
        return TextCode(names, places).encode([str(text) for text in labels])
    labels = np.asarray(labels)
    if labels.ndim == 1 and labels.dtype.kind == "U":
        numbers = [names.index(name) if name in names else -1 for name in labels]
        if -1 in numbers:
            raise UsageError(
                f"There is no class {str(labels[numbers.index(-1)])!r}: choose from {', '.join(names)}."
            )
        return one_hot(np.array(numbers), len(names))
    if labels.ndim == 1 and labels.dtype.kind in "iu" and exclusive:
        return one_hot(labels, len(names))
    values = len(names) * max(places, 1)
    if labels.ndim != 2 or labels.shape[1] != values:
        wanted = "texts" if places else "class names, class numbers"
        raise UsageError(
            f"Give {wanted} or conditions [N, {values}], not {labels.dtype} {list(labels.shape)}."
        )
    return labels.astype(np.float32)
