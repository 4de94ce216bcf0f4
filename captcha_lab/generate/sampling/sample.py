"""Draw from a trained generator: samples, grids, interpolations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from captcha_lab.errors import CaptchaLabError, UsageError
from captcha_lab.generate.conditioning import Labels, TextCode, as_condition
from captcha_lab.generate.networks import NetworkSpec, build_generator
from captcha_lab.generate.networks.base import GeneratorNetwork
from captcha_lab.generate.noise import draw_noise
from captcha_lab.generate.pixels import to_images
from captcha_lab.generate.recipe import Recipe
from captcha_lab.plot import Plot, picture_html, pictures_plot
from captcha_lab.recognise.restore import described, rebuilt
from captcha_lab.store.images import encode
from captcha_lab.store.runs import load_weights, save_weights

ARCHITECTURE = "generator"
SHOWN = 36  # samples in a notebook
BLOCK = 128  # images made at a time; a sum's last bit depends on how many, so all processes make as many at a time


@dataclass(frozen=True)
class Generator:
    """A trained generator with all that is needed to draw images from it."""

    network: GeneratorNetwork
    spec: NetworkSpec
    noise: str
    """The distribution of its noise (`Recipe.noise`)."""
    classes: tuple[str, ...]
    """Names of the classes or attributes it is conditioned on; empty where it is unlabelled."""
    exclusive: bool = True
    """Exactly one of `classes` holds for an image, else any number of them."""
    recipe: Recipe | None = None
    places: int = 0
    """With more than 0 it draws whole captchas: `classes` are characters, and it is conditioned on texts of up to so
    many of them (see `conditioning.TextCode`)."""
    lengths: tuple[int, ...] = ()
    """Of texts: the numbers of characters that it learned."""

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape))
        name = self.recipe.name if self.recipe else self.spec.family
        kind = "characters" if self.places else "classes"
        return f"Generator({name}: pictures of {shape}, {len(self.classes) or 'no'} {kind})"

    def _some(self, count: int) -> tuple[np.ndarray, Sequence[str]]:
        """Samples to show and what they were asked for: classes in turn, random texts, or nothing."""
        if self.places:
            texts = self.texts.draw(count, self.lengths, 0)
            return self.sample(texts), texts
        if self.classes and not self.exclusive:
            columns = np.arange(count) % len(self.classes)
            names = [self.classes[k] for k in columns]
            return self.sample(np.eye(len(self.classes), dtype=np.float32)[columns]), names
        if self.classes:
            names = [self.classes[k % len(self.classes)] for k in range(count)]
            return self.sample(names), names
        return self.sample(count=count), [""] * count

    def plot(self, count: int = SHOWN, columns: int = 8) -> Plot:
        """Samples with what they were asked for, `columns` in a row.

        Raises:
            CaptchaLabError: matplotlib is not installed.
            UsageError: fewer than one picture or column.
        """
        if count < 1:
            raise UsageError("Give at least 1 picture and 1 column.")
        return pictures_plot(*self._some(count), columns)

    def _repr_html_(self) -> str:
        """A sample of each class, or some of what it draws, for notebooks."""
        drawn, names = self._some(
            min(len(self.classes), SHOWN) if self.classes and not self.places else SHOWN
        )
        cells = [picture_html(encode(one), name, scale=2) for one, name in zip(drawn, names, strict=True)]
        return f"<p>{escape(repr(self))}</p>{''.join(cells)}"

    @property
    def labelled(self) -> bool:
        """Whether it needs conditions."""
        return bool(self.classes)

    @property
    def spread(self) -> float:
        """How many times as wide as in training the noise of samples is (`Recipe.spread`)."""
        return 1.0 if self.recipe is None else self.recipe.spread

    @property
    def texts(self) -> TextCode:
        """How texts are written as conditions.

        Raises:
            UsageError: it does not draw whole captchas.
        """
        if not self.places:
            raise UsageError(
                "This generator draws single pictures: train one with `captcha-lab train-gen --whole`."
            )
        return TextCode(self.classes, self.places)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, 3)."""
        c, h, w = self.spec.image_shape
        return (h, w) if c == 1 else (h, w, c)

    def sample(self, labels: Labels | None = None, count: int | None = None, seed: int = 0) -> np.ndarray:
        """Images in memory; the same for the same seed (a `plan.SamplePlan` draws more than memory holds).

        Args:
            labels: class names or numbers [N], texts [N] of one that draws whole captchas, or conditions [N, K];
                None where the generator is unlabelled.
            count: N for an unlabelled generator.
            seed: of the noise.

        Returns:
            uint8 [N, H, W] or [N, H, W, 3].

        Raises:
            UsageError: labels missing, unwanted or outside the classes; no count.
        """
        condition = as_condition(labels, self.classes, self.exclusive, self.places)
        n = len(condition) if condition is not None else count
        if n is None or n < 1:
            raise UsageError("Say how many samples to draw (at least 1).")
        noise = draw_noise(self.noise, n, self.spec.noise_size, torch.Generator().manual_seed(seed))
        return self.images(noise, None if condition is None else torch.from_numpy(condition))

    def noise_blocks(self, count: int, seed: int) -> Iterator[Tensor]:
        """The noise of `count` samples, [BLOCK, Z] at a time, the same as if it were drawn at once.

        A generator's normal numbers continue so where each draw is a multiple of 16; so what is left after the last
        block is drawn together with that one.
        """
        rng = torch.Generator().manual_seed(seed)
        alone = max(count // BLOCK - 1, 0)
        for _ in range(alone):
            yield draw_noise(self.noise, BLOCK, self.spec.noise_size, rng)
        rest = draw_noise(self.noise, count - alone * BLOCK, self.spec.noise_size, rng)
        yield from torch.split(rest, BLOCK)

    @torch.no_grad()
    def images(self, noise: Tensor, condition: Tensor | None) -> np.ndarray:
        """Images of given noise [N, Z], as wide as in training, and conditions [N, K]: uint8 [N, H, W(, 3)]."""
        device = next(self.network.parameters()).device
        training = self.network.training
        self.network.eval()
        parts = []
        for start in range(0, len(noise), BLOCK):
            block = slice(start, start + BLOCK)
            given = None if condition is None else condition[block].to(device)
            wide = self.spread * noise[block].to(device)
            parts.append(to_images(self.network(wide, given), self.spec.output_range))
        self.network.train(training)
        return np.concatenate(parts)

    def walk(
        self, start: int, end: int, steps: int, classes: tuple[int, int] | np.ndarray | None = None
    ) -> np.ndarray:
        """From one noise to another, and from one class to another: uint8 [steps, H, W(, 3)].

        Args:
            start: seed of the first noise.
            end: seed of the last noise; the same seed keeps it.
            steps: images, both ends included.
            classes: first and last class number, or conditions [2, K]; None for an unlabelled generator.

        Raises:
            UsageError: fewer than two steps, or classes that don't fit.
        """
        if steps < 2:
            raise UsageError(f"A walk needs at least 2 steps, not {steps}.")
        t = torch.linspace(0, 1, steps)[:, None]
        first, last = (
            draw_noise(self.noise, 1, self.spec.noise_size, torch.Generator().manual_seed(s))
            for s in (start, end)
        )
        noise = _great_circle(first, last, t) if self.noise == "normal" else (1 - t) * first + t * last
        given = as_condition(
            None if classes is None else np.array(classes), self.classes, self.exclusive, self.places
        )
        if given is None:
            return self.images(noise, None)
        ends = torch.from_numpy(given)
        return self.images(noise, (1 - t) * ends[:1] + t * ends[1:])


def save_generator(path: Path, generator: Generator, facts: dict[str, Any]) -> None:
    """Write a generator whose metadata rebuild it with no recipe at hand (CaptchaLabError: the disk refuses)."""
    metadata = {
        "architecture": ARCHITECTURE,
        "network": generator.spec.as_json(),
        "noise": generator.noise,
        "classes": list(generator.classes),
        "exclusive": generator.exclusive,
        "places": generator.places,
        "lengths": list(generator.lengths),
        "recipe": None if generator.recipe is None else generator.recipe.as_json(),
        **facts,
    }
    save_weights(path, generator.network.state_dict(), metadata)


def load_generator(path: Path, device: str = "cpu") -> Generator:
    """A generator from its weights file or its run's folder.

    Raises:
        CaptchaLabError: the file is absent, damaged, or another kind of model.
    """
    tensors, metadata = load_weights(path)
    if metadata["architecture"] != ARCHITECTURE:
        raise CaptchaLabError(
            f"{path} holds a {metadata['architecture']}, not a generator: train one with `captcha-lab train-gen`."
        )
    with described(path):
        spec = NetworkSpec.from_json(metadata["network"])
        network = rebuilt(lambda: build_generator(spec, 0), tensors)
        recipe = metadata.get("recipe")
        return Generator(
            network.to(device).eval(),
            spec,
            metadata["noise"],
            tuple(metadata["classes"]),
            bool(metadata["exclusive"]),
            None if recipe is None else Recipe.from_json(recipe),
            int(metadata.get("places", 0)),
            tuple(int(n) for n in metadata.get("lengths", ())),
        )


def _great_circle(first: Tensor, last: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation (Shoemake 1985): normal noise keeps its length, where a straight line shortens it."""
    cosine = (first * last).sum() / (first.norm() * last.norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle < 1e-4:
        return (1 - t) * first + t * last
    return (torch.sin((1 - t) * angle) * first + torch.sin(t * angle) * last) / torch.sin(angle)
