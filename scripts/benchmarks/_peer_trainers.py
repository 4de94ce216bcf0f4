"""Each peer's training through its own public interface, for some seconds, and how samples are drawn from it.

Runs in the peers' own environment: nothing of captcha_lab is imported here. Settings are the package's own; where one
is changed, a comment says why.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from scripts.benchmarks import _peer_imports as packages

NEVER = 10**9  # steps: of what would take seconds from training, such as pictures on the way
DIFFUSION_STEPS = 25  # of sampling (DDIM); all 1,000 that it is trained on would take forty times as long
DIFFUSION_LEVELS = (1, 2, 4)  # widths of the small U-Net's levels; the package's example has (1, 2, 4, 8)
MIMICRY_WIDTHS = (("Generator", "ngf"), ("Discriminator", "ndf"))
NARROW = 8  # the part of torch_mimicry's widths


class Clock:
    """Seconds of training: from `start` until they are over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.started = self.stopped = time.monotonic()

    def start(self) -> None:
        self.started = self.stopped = time.monotonic()

    @property
    def share(self) -> float:
        """The part of the seconds that is over."""
        return (time.monotonic() - self.started) / self.seconds

    @property
    def used(self) -> float:
        """Seconds from the start to the first call of `over` that said so: what comes after is not training."""
        return self.stopped - self.started

    def over(self) -> bool:
        """Whether training has to end."""
        if self.used < self.seconds:
            self.stopped = time.monotonic()
        return self.used >= self.seconds


@dataclass(frozen=True)
class Task:
    """What a peer is trained on.

    Attributes:
        images: uint8 [N, S, S] or [N, S, S, 3], S a power of two.
        mirrored: whether a mirrored picture is one of the same kind; a mirrored character is another.
        clock: says when to end.
        folder: for the peer's own files.
    """

    images: NDArray[np.uint8]
    mirrored: bool
    clock: Clock
    folder: Path

    @property
    def side(self) -> int:
        return int(self.images.shape[1])

    @property
    def grey(self) -> bool:
        return self.images.ndim == 3

    def files(self) -> Path:
        """The pictures as files, for packages that read a folder."""
        place = self.folder / "pictures"
        place.mkdir()
        for number, image in enumerate(self.images):
            Image.fromarray(image).save(place / f"{number:06d}.png", compress_level=1)
        return place


@dataclass(frozen=True)
class Trained:
    """A trained peer: its iterations, and what draws so many samples, float [n, C, S, S] from 0 to 1."""

    iterations: int
    draw: Callable[[int], torch.Tensor]


Train = Callable[[Task], Trained]


class TimeIsOverError(Exception):
    """Ends a trainer that knows only numbers of steps."""


def lightweight_gan(settings: dict[str, Any], task: Task) -> Trained:
    """lightweight-gan with the settings of its trainer, but for the given ones."""
    module = packages.lightweight()
    trainer = module.Trainer(
        base_dir=task.folder,
        image_size=task.side,
        greyscale=task.grey,
        num_workers=0,  # one for each core of the machine would take more cores than the others have
        use_aim=False,  # a logger
        **settings,
    )
    trainer.set_data_src(task.files())
    trainer.init_GAN()
    trainer.evaluate = lambda *_, **__: None  # it draws sheets of samples every 100 steps
    done = 0
    task.clock.start()
    while not task.clock.over():
        with suppress(module.NanException):  # as its command line does, which tries again
            trainer.train()
            done += 1
    # Its average of weights begins at step 20,000; before, that is a copy of the weights of up to 1,000 steps ago.
    network = trainer.GAN.GE if trainer.steps > 20_000 else trainer.GAN.G
    trainer.GAN.eval()
    return Trained(done, lambda n: trainer.generate_(network, torch.randn(n, trainer.latent_dim)))


class _Batches:
    """Batches as torch_mimicry's trainer wants them, in colour from -1 to 1, until the time is over."""

    batch_size = 64

    def __init__(self, task: Task) -> None:
        images = torch.from_numpy(task.images)
        # Its networks have three channels.
        pictures = images[:, None].expand(-1, 3, -1, -1) if task.grey else images.permute(0, 3, 1, 2)
        data = torch.utils.data.TensorDataset(pictures, torch.zeros(len(images), dtype=torch.long))
        self.loader = torch.utils.data.DataLoader(data, self.batch_size, shuffle=True)
        self.clock = task.clock

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for pictures, labels in self.loader:
            if self.clock.over():
                raise KeyboardInterrupt  # by which this trainer is meant to be ended early
            yield pictures.float() / 127.5 - 1, labels


def mimicry(family: str, name: str, part: int, task: Task) -> Trained:
    """A network pair of torch_mimicry, with the settings of its examples.

    Args:
        family: the module of the pair.
        name: what its classes' names begin with.
        part: of the package's width, one in so many.
        task: see `Task`.
    """
    package = packages.mimicry()
    nets = getattr(package.nets, family)
    pair = [(getattr(nets, f"{name}{kind}{task.side}"), key) for kind, key in MIMICRY_WIDTHS]
    generator, critic = (network(**{key: _default(network, key) // part}) for network, key in pair)
    optimisers = [torch.optim.Adam(net.parameters(), 2e-4, betas=(0.0, 0.9)) for net in (critic, generator)]
    trainer = package.training.Trainer(
        netD=critic, netG=generator, optD=optimisers[0], optG=optimisers[1], dataloader=_Batches(task),
        num_steps=NEVER, n_dis=5, lr_decay="linear", device=torch.device("cpu"), log_dir=str(task.folder / "log"),
        print_steps=NEVER, vis_steps=NEVER, save_steps=NEVER,
    )  # fmt: skip
    done = 0

    def step(*_: object) -> None:
        nonlocal done
        done += 1
        # The rate falls to nothing with the last step, whose number only the clock can tell.
        trainer.scheduler.num_steps = max(done, done / task.clock.share)

    optimisers[1].register_step_post_hook(step)
    task.clock.start()
    trainer.train()
    if not task.clock.over():
        raise KeyboardInterrupt  # a person's
    generator.eval()  # as the package does before it measures
    return Trained(done, lambda n: (generator.generate_images(n) + 1) / 2)


def _default(function: Callable[..., Any], name: str) -> Any:
    """The value that an argument has if none is given."""
    return inspect.signature(function).parameters[name].default


def diffusion(width: int, task: Task) -> Trained:
    """A small U-Net of denoising-diffusion-pytorch, with the settings of its trainer."""
    module = packages.diffusion()
    network = module.Unet(dim=width, dim_mults=DIFFUSION_LEVELS, channels=1 if task.grey else 3)
    model = module.GaussianDiffusion(network, image_size=task.side, sampling_timesteps=DIFFUSION_STEPS)
    trainer = module.Trainer(
        model,
        str(task.files()),
        augment_horizontal_flip=task.mirrored,  # the package's own is True
        train_num_steps=NEVER,
        save_and_sample_every=NEVER,
        calculate_fid=False,
        results_folder=str(task.folder / "results"),
    )

    def timed(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            if task.clock.over():
                raise TimeIsOverError
            yield batch

    trainer.dl = timed(trainer.dl)
    task.clock.start()
    with suppress(TimeIsOverError):
        trainer.train()
    average = trainer.ema.ema_model.eval()
    return Trained(trainer.step, lambda n: average.sample(batch_size=n))


# As the packages come, and narrower: on one core a step of most takes seconds and a minute is a handful of them, of
# which narrow networks make more. Nothing else is changed.
PEERS: dict[str, Train] = {
    "lightweight-gan": partial(lightweight_gan, {}),
    "sngan": partial(mimicry, "sngan", "SNGAN", 1),
    "ssgan": partial(mimicry, "ssgan", "SSGAN", 1),
    "infomax-gan": partial(mimicry, "infomax_gan", "InfoMaxGAN", 1),
    "diffusion": partial(diffusion, 32),
    "lightweight-gan-narrow": partial(lightweight_gan, {"latent_dim": 64, "fmap_max": 64}),
    "sngan-narrow": partial(mimicry, "sngan", "SNGAN", NARROW),
    "ssgan-narrow": partial(mimicry, "ssgan", "SSGAN", NARROW),
    "infomax-gan-narrow": partial(mimicry, "infomax_gan", "InfoMaxGAN", NARROW),
    "diffusion-narrow": partial(diffusion, 16),
}
