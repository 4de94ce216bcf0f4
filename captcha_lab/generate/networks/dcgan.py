"""The thesis's convolutional networks (chapter 4; after Radford et al. 2016).

Critic: two 5x5 convolutions of stride 2, a hidden fully connected layer with batch norm, the score. Generator: two
fully connected layers, two 5x5 transposed convolutions of stride 2. No biases, no norm on the critic's convolutions.
A condition is concatenated to the inputs of every fully connected layer (the thesis prints it for the critic's
hidden layer and says it of all).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.networks.base import (
    Criticism,
    CriticNetwork,
    EncoderNetwork,
    Encoding,
    Family,
    GeneratorNetwork,
    NetworkSpec,
)
from captcha_lab.generate.networks.parts.codes import CodeHead, coded
from captcha_lab.generate.networks.parts.heads import CriticHead, CriticOptions
from captcha_lab.generate.networks.parts.layers import Ending, conv_double, conv_half, halving, joined
from captcha_lab.generate.networks.parts.normalise import normaliser


@dataclass(frozen=True)
class DcganOptions(CriticOptions):
    """Keyword options of the `dcgan` family."""

    update: bool = False  # the thesis's update: tanh and one more convolution before the last sigmoid
    critic: str = "classifier"  # or "autoencoder": the score is minus the error of reconstruction (MAGAN)
    critic_norm: str = "batch"  # of the hidden layer; with a gradient penalty "layer" or "none"
    generator_norm: str = "batch"
    features: str = (
        "hidden"  # what feature matching compares: the hidden layer, or the "maps" of the convolutions
    )
    channels: int = 64  # of the outer convolutions; the inner ones have twice as many
    hidden: int = 1024
    slope: float = 0.2  # of the critic's leaky ReLU
    categories: int = 0  # of the categorical code that the critic reads off an image (InfoGAN), 0 = none
    continuous: int = 0  # continuous codes likewise


class Convolver(nn.Module):
    """Images [N, C, H, W] and a condition to hidden features [N, hidden]."""

    __call__: Callable[..., Tensor]

    def __init__(self, spec: NetworkSpec, options: DcganOptions, conditions: int) -> None:
        super().__init__()
        height, width = halving(spec, 2)
        inner = 2 * options.channels
        self.convolutions = nn.Sequential(
            conv_half(spec.image_shape[0], options.channels, bias=False),
            nn.LeakyReLU(options.slope),
            conv_half(options.channels, inner, bias=False),
            nn.LeakyReLU(options.slope),
            nn.Flatten(),
        )
        self.hidden = nn.Linear(inner * height * width + conditions, options.hidden, bias=False)
        self.norm = normaliser(options.critic_norm, options.hidden, options)
        self.activation = nn.LeakyReLU(options.slope)

    def forward(self, images: Tensor, condition: Tensor | None) -> Tensor:
        """The hidden layer's activations."""
        return self.dense(self.maps(images), condition)

    def maps(self, images: Tensor) -> Tensor:
        """The last convolution's maps, flat: [N, 3200] for 20x20."""
        flat: Tensor = self.convolutions(images)
        return flat

    def dense(self, flat: Tensor, condition: Tensor | None) -> Tensor:
        """The hidden layer's activations from the maps."""
        hidden: Tensor = self.activation(self.norm(self.hidden(joined(flat, condition))))
        return hidden


class Deconvolver(nn.Module):
    """A code [N, inputs] and a condition to images [N, C, H, W] in the output range."""

    __call__: Callable[..., Tensor]

    def __init__(self, spec: NetworkSpec, options: DcganOptions, inputs: int) -> None:
        super().__init__()
        self.size = halving(spec, 2)
        outer, self.inner, norm = options.channels, 2 * options.channels, options.generator_norm
        flat = self.inner * self.size[0] * self.size[1]
        self.first = nn.Linear(inputs + spec.classes, options.hidden, bias=False)
        self.first_norm = nn.Sequential(normaliser(norm, options.hidden, options), nn.ReLU())
        self.second = nn.Linear(options.hidden + spec.classes, flat, bias=False)
        self.second_norm = nn.Sequential(normaliser(norm, flat, options), nn.ReLU())
        self.deconvolutions = nn.Sequential(
            conv_double(self.inner, outer, bias=False),
            normaliser(norm, outer, options),
            nn.ReLU(),
            conv_double(outer, spec.image_shape[0], bias=False),
        )
        self.ending = Ending(spec, options.update, bias=False)

    def forward(self, code: Tensor, condition: Tensor | None) -> Tensor:
        """Images."""
        hidden = self.first_norm(self.first(joined(code, condition)))  # (N, 1024)
        flat = self.second_norm(self.second(joined(hidden, condition)))  # (N, 3200)
        return self.ending(self.deconvolutions(flat.view(-1, self.inner, *self.size)))


class DcganGenerator(GeneratorNetwork):
    """Noise, and the condition at both fully connected layers, to images."""

    def __init__(self, spec: NetworkSpec, options: DcganOptions) -> None:
        super().__init__(spec)
        codes = options.categories + options.continuous
        if min(options.categories, options.continuous) < 0 or codes > spec.noise_size:
            raise UsageError(f"{codes} codes do not fit into {spec.noise_size} values of noise.")
        self.categories = options.categories
        self.body = Deconvolver(spec, options, spec.noise_size)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        return self.body(coded(noise, self.categories), self.checked(condition, self.classes > 0))


class DcganCritic(CriticNetwork):
    """Convolutions, a hidden layer, a head."""

    def __init__(self, spec: NetworkSpec, options: DcganOptions) -> None:
        super().__init__(spec)
        if options.features not in ("hidden", "maps"):
            raise UsageError(f"Features {options.features!r} are neither 'hidden' nor 'maps'.")
        self.matches_maps = options.features == "maps"
        self.body = Convolver(spec, options, self.conditions)
        self.head = CriticHead(spec, options, options.hidden, bias=False, concat=True)
        if options.categories or options.continuous:
            self.code_head = CodeHead(options.hidden, options.categories, options.continuous, options)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Criticism:
        """See `CriticNetwork`."""
        condition = self.checked(condition, self.conditioned)
        maps = self.body.maps(images)
        hidden = self.body.dense(maps, condition if self.concat else None)
        judged = self.head(hidden, condition)
        if self.code_head is not None:
            judged = judged._replace(code=self.code_head(hidden))
        return judged._replace(features=maps) if self.matches_maps else judged


class AutoencodingCritic(CriticNetwork):
    """An auto-encoder (the critic's trunk, then a generator's) whose error is the energy (Zhao et al. 2017).

    The score is minus the mean squared error over all values of an image.
    """

    form = "energy"

    def __init__(self, spec: NetworkSpec, options: DcganOptions) -> None:
        super().__init__(spec)
        if spec.conditioning == "projection":
            raise UsageError(
                "An auto-encoding critic has no score to add a projection to: use --conditioning concat."
            )
        self.body = Convolver(spec, options, self.conditions)
        decoder_spec = (
            spec
            if self.concat
            else NetworkSpec(spec.family, spec.image_shape, spec.noise_size, **_range(spec))
        )
        self.decoder = Deconvolver(decoder_spec, options, options.hidden)
        self.classifier = (
            nn.Linear(options.hidden, spec.classes) if spec.conditioning == "auxiliary" else None
        )

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Criticism:
        """See `CriticNetwork`; the reconstruction has the images' shape and range."""
        condition = self.checked(condition, self.concat)
        features = self.body(images, condition)
        reconstruction = self.decoder(features, condition)
        energy = (reconstruction - images).square().mean((1, 2, 3))
        logits = None if self.classifier is None else self.classifier(features)
        return Criticism(-energy, features, logits, reconstruction)


class DcganEncoder(EncoderNetwork):
    """The critic's trunk with Z outputs: the encoder of mode regularisation (Che et al. 2017)."""

    def __init__(self, spec: NetworkSpec, options: DcganOptions) -> None:
        super().__init__(spec)
        self.body = Convolver(spec, options, spec.classes)
        self.mean = nn.Linear(options.hidden + spec.classes, spec.noise_size, bias=False)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Encoding:
        """See `EncoderNetwork`; no log variance."""
        condition = self.checked(condition, self.classes > 0)
        return Encoding(self.mean(joined(self.body(images, condition), condition)))


def _range(spec: NetworkSpec) -> dict[str, Any]:
    return {"output_range": spec.output_range, "initialisation": spec.initialisation}


def _critic(spec: NetworkSpec, options: DcganOptions) -> CriticNetwork:
    kinds = {"classifier": DcganCritic, "autoencoder": AutoencodingCritic}
    if options.critic not in kinds:
        raise UsageError(
            f"No critic {options.critic!r} in the family dcgan: choose one of {', '.join(kinds)}."
        )
    return kinds[options.critic](spec, options)


FAMILY = Family(
    name="dcgan",
    summary="the thesis's convolutional networks: two strided convolutions and two fully connected layers each way",
    options=DcganOptions,
    generator=DcganGenerator,
    critic=_critic,
    encoder=DcganEncoder,
)
