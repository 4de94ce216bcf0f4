"""What a recipe would build and how fast it runs here, without training it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from captcha_lab.generate.conditioning import TextCode
from captcha_lab.generate.networks import Criticism, Encoding
from captcha_lab.generate.players.streams import ArrayStream, TrainingStream
from captcha_lab.generate.recipe import Recipe
from captcha_lab.generate.training.config import GeneratorConfig
from captcha_lab.generate.training.train import choose_device
from captcha_lab.generate.training.trainer import Trainer
from captcha_lab.generate.training.tuning import choose_precision, choose_threads, limited
from captcha_lab.parallel import Group


@dataclass(frozen=True)
class Layer:
    """One layer of a network: its place, kind, output shape without the batch, and numbers it learns."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class Overview:
    """A recipe made concrete."""

    recipe: Recipe
    generator: list[Layer]
    critic: list[Layer]
    encoder: list[Layer]
    parameters: dict[str, int]
    """Trainable numbers per network."""
    totals: dict[str, int]
    """The same with running means and variances, as Keras counts them."""
    seconds_per_iteration: float
    threads: int
    precision: str


def overview(
    recipe: Recipe,
    stream: TrainingStream | None = None,
    config: GeneratorConfig | None = None,
    *,
    seconds: float = 2.0,
) -> Overview:
    """Build the recipe's networks, list their layers, and time its iterations.

    Args:
        recipe: the recipe.
        stream: the data; None = random pixels of the source's shape (the time does not depend on them).
        config: where and how it would be trained.
        seconds: how long to measure.

    Raises:
        UsageError: parts that can't go together.
    """
    config = config or GeneratorConfig()
    with torch.random.fork_rng():
        where = choose_device(config.device)
        precision = choose_precision(recipe, config.precision, where)
        trainer = Trainer(
            recipe, stream or random_stream(recipe), recipe.iterations, 0, where, precision=precision
        )
        networks = trainer.players.networks
        layers = {name: _layers(trainer, name, network) for name, network in networks.items()}
        counts = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
        threads = choose_threads(trainer, config.threads)
        with limited(threads):
            seconds_each = _time(trainer, seconds)
        return Overview(
            recipe,
            layers["generator"],
            layers.get("critic", []),
            layers.get("encoder", []),
            counts,
            {name: counts[name] + running_statistics(network) for name, network in networks.items()},
            seconds_each,
            threads,
            precision,
        )


def random_stream(recipe: Recipe, n: int = 256, seed: int = 0, group: Group | None = None) -> ArrayStream:
    """Random pixels with random classes or texts, of the shape and number of classes the recipe's source has.

    With `group` for one of several processes that train together.
    """
    rng = np.random.default_rng(seed)
    c, h, w = recipe.image_shape
    images = rng.integers(0, 256, (n, h, w) if c == 1 else (n, h, w, c), dtype=np.uint8)
    names = tuple(str(k) for k in range(recipe.classes))
    if places := recipe.options.get("places"):
        code = TextCode(tuple(chr(ord("A") + k) for k in range(recipe.classes)), places)
        return ArrayStream(images, texts=code.draw(n, [places], seed), seed=seed, group=group)
    labels = rng.integers(0, recipe.classes, n) if recipe.uses_labels else None
    return ArrayStream(images, labels, names, seed=seed, group=group)


def running_statistics(network: nn.Module) -> int:
    """How many running means and variances a network keeps."""
    return sum(b.numel() for name, b in network.named_buffers() if "running" in name)


def _time(trainer: Trainer, seconds: float) -> float:
    trainer.iterate()  # the first one allocates
    count, start = 0, time.perf_counter()
    while count < 2 or time.perf_counter() - start < seconds:
        trainer.iterate()
        count += 1
    return (time.perf_counter() - start) / count


@torch.no_grad()
def _layers(trainer: Trainer, name: str, network: nn.Module) -> list[Layer]:
    """The layers of a network in the order they end, from one pass of two samples.

    A layer made of others is one only for what it learns itself.
    """
    found: list[Layer] = []

    def hook(path: str) -> Any:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            whole = _is_leaf(module)
            own = sum(p.numel() for p in module.parameters(recurse=whole))
            # Critics and encoders give several tensors, of which the first counts.
            first = output[0] if type(output) in (Criticism, Encoding) else output
            found.append(Layer(path or "all", type(module).__name__, tuple(first.shape[1:]), own))

        return note

    layers = [(path, module) for path, module in network.named_modules() if _is_layer(path, module)]
    handles = [module.register_forward_hook(hook(path)) for path, module in layers]
    condition = None
    if trainer.names:
        condition = torch.zeros(2, trainer.players.spec.classes, device=trainer.players.device)
        condition[:, 0] = 1
    first = (
        torch.zeros(2, trainer.recipe.noise_size, device=trainer.players.device)
        if name == "generator"
        else torch.zeros(2, *trainer.players.spec.image_shape, device=trainer.players.device)
    )
    training = network.training
    network.eval()
    network(first, condition)
    network.train(training)
    for handle in handles:
        handle.remove()
    return found


def _is_leaf(module: nn.Module) -> bool:
    """No layer is inside; under spectral norm one has children that are no layers."""
    return not list(module.children()) or hasattr(module, "parametrizations")


def _is_layer(path: str, module: nn.Module) -> bool:
    learns = any(True for _ in module.parameters(recurse=False))
    return "parametrizations" not in path and (_is_leaf(module) or learns)
