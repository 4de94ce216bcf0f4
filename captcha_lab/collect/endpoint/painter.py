"""The built-in endpoint's captchas by number, in any of its styles."""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

from captcha_lab.alphabet import Alphabet
from captcha_lab.collect.endpoint import classic, drawn, image
from captcha_lab.collect.endpoint.config import EndpointConfig
from captcha_lab.collect.endpoint.traits import Traits

_OWN = {"classic": classic, "image": image}  # styles with a way of drawing of their own


class Painter:
    """Draws the endpoint's captchas: number `n` of a seed is always the same one, in whatever order asked.

    Args:
        config: of the endpoint.
        traits: of the pictures, where they are to differ from the style's.

    Raises:
        UsageError: the alphabet holds a character the style can't draw.
    """

    def __init__(self, config: EndpointConfig, traits: Traits | None = None) -> None:
        self._draws = _OWN.get(config.style, drawn)
        self._traits = traits or config.traits
        self._characters = list(Alphabet(config.characters).characters)
        self._draws.check_alphabet(config.characters, self._traits)
        self._seed = secrets.randbits(64) if config.seed is None else config.seed
        self.media_type = self._draws.MEDIA_TYPE

    def draw(self, number: int) -> tuple[str, NDArray[np.uint8]]:
        """Text and picture, uint8 [H, W, 3] RGB, of captcha `number` (0, 1, …)."""
        rng = np.random.default_rng([self._seed, number])
        low, high = self._traits.shortest, self._traits.longest
        length = low if low == high else int(rng.integers(low, high + 1))
        text = "".join(rng.choice(self._characters, length))
        return text, self._draws.render(text, rng, self._traits)

    def __call__(self, number: int) -> tuple[str, bytes]:
        """Text and encoded picture of captcha `number` (0, 1, …)."""
        text, picture = self.draw(number)
        return text, self._draws.encode(picture)
