"""Fully connected networks: the thesis's (chapters 4 and 5), the CS231n notebook's, PML's and the slides'.

Lists of widths say how deep they are. A condition is concatenated to the inputs of all layers (the house default)
or of the first alone, as the slides do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from captcha_lab.generate.networks.parts.heads import CriticHead, CriticOptions
from captcha_lab.generate.networks.parts.layers import Dropout, Ending, activation, joined
from captcha_lab.generate.networks.parts.normalise import normaliser


@dataclass(frozen=True)
class FcOptions(CriticOptions):
    """Keyword options of the `fc` family."""

    generator: Sequence[int] = (500,)  # widths of the generator's hidden layers
    critic: Sequence[int] = (500,)  # widths of the critic's hidden layers
    generator_slope: float = 0.0  # of the leaky ReLU; 0 = ReLU
    critic_slope: float = 0.0
    generator_norms: Sequence[str] = ()  # per hidden layer: batch, layer or none; () = none anywhere
    critic_norms: Sequence[str] = ()
    generator_bias: bool = True  # of the generator's hidden layers; its last layer always has one
    dropout: float = 0.0  # after each of the critic's hidden layers
    update: bool = False  # the thesis's update: tanh and a 5x5 convolution before the output activation
    variational: bool = False  # the encoder, a critic's body, also gives a log variance
    label_layers: str = "all"  # or "first": where a condition is concatenated


class Stack(nn.Module):
    """Hidden layers [N, inputs] to [N, widths[-1]]: linear, norm, (leaky) ReLU, dropout, each."""

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        norms: Sequence[str],
        options: FcOptions,
        *,
        slope: float,
        bias: bool,
        dropout: float,
        conditions: int,
    ) -> None:
        super().__init__()
        norms = norms or ["none"] * len(widths)
        if len(norms) != len(widths) or not widths:
            raise UsageError(
                f"{len(widths)} hidden layers {tuple(widths)} need as many norms, not {tuple(norms)}."
            )
        deeper = options.label_layers == "all"
        self.conditioned = [bool(conditions) and (k == 0 or deeper) for k in range(len(widths))]
        self.linear, self.after = nn.ModuleList(), nn.ModuleList()
        for width, norm, conditioned in zip(widths, norms, self.conditioned, strict=True):
            self.linear.append(nn.Linear(inputs + (conditions if conditioned else 0), width, bias=bias))
            tail = [normaliser(norm, width, options), activation(slope)]
            self.after.append(nn.Sequential(*tail, *([Dropout(dropout)] if dropout else [])))
            inputs = width

    def forward(self, tensor: Tensor, condition: Tensor | None) -> Tensor:
        """The last hidden layer."""
        for linear, after, conditioned in zip(self.linear, self.after, self.conditioned, strict=True):
            tensor = after(linear(joined(tensor, condition if conditioned else None)))
        return tensor


class FcGenerator(GeneratorNetwork):
    """Noise through the hidden layers to all values of an image at once."""

    def __init__(self, spec: NetworkSpec, options: FcOptions) -> None:
        super().__init__(spec)
        _check(options)
        channels, height, width = spec.image_shape
        self.body = Stack(
            spec.noise_size,
            options.generator,
            options.generator_norms,
            options,
            slope=options.generator_slope,
            bias=options.generator_bias,
            dropout=0.0,
            conditions=spec.classes,
        )
        self.condition_last = spec.classes > 0 and options.label_layers == "all"
        inputs = options.generator[-1] + (spec.classes if self.condition_last else 0)
        self.pixels = nn.Linear(inputs, channels * height * width)
        self.ending = Ending(spec, options.update, bias=True)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """See `GeneratorNetwork`."""
        condition = self.checked(condition, self.classes > 0)
        hidden = self.body(noise, condition)
        pixels = self.pixels(joined(hidden, condition if self.condition_last else None))
        return self.ending(pixels.view(-1, *self.image_shape))


class FcCritic(CriticNetwork):
    """All values of an image through the hidden layers to a head."""

    def __init__(self, spec: NetworkSpec, options: FcOptions) -> None:
        super().__init__(spec)
        _check(options)
        self.body = _image_stack(spec, options, self.conditions)
        self.head = CriticHead(spec, options, options.critic[-1], concat=options.label_layers == "all")

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Criticism:
        """See `CriticNetwork`."""
        condition = self.checked(condition, self.conditioned)
        features = self.body(images.flatten(1), condition if self.concat else None)
        return self.head(features, condition)


class FcEncoder(EncoderNetwork):
    """The critic's hidden layers with Z outputs, or 2 Z for a variational auto-encoder (Kingma and Welling 2014)."""

    def __init__(self, spec: NetworkSpec, options: FcOptions) -> None:
        super().__init__(spec)
        self.body = _image_stack(spec, options, spec.classes)
        self.variational = options.variational
        self.code = nn.Linear(options.critic[-1], spec.noise_size * (2 if options.variational else 1))

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Encoding:
        """See `EncoderNetwork`."""
        code = self.code(self.body(images.flatten(1), self.checked(condition, self.classes > 0)))
        return Encoding(code[:, : self.noise_size], code[:, self.noise_size :] if self.variational else None)


def _image_stack(spec: NetworkSpec, options: FcOptions, conditions: int) -> Stack:
    """The critic's hidden layers, from all values of an image and so many conditions."""
    channels, height, width = spec.image_shape
    return Stack(
        channels * height * width,
        options.critic,
        options.critic_norms,
        options,
        slope=options.critic_slope,
        bias=True,
        dropout=options.dropout,
        conditions=conditions,
    )


def _check(options: FcOptions) -> None:
    if options.label_layers not in ("all", "first"):
        raise UsageError(f"Label layers {options.label_layers!r} are neither 'all' nor 'first'.")


FAMILY = Family(
    name="fc",
    summary="fully connected networks of any depth, with the thesis's update on request",
    options=FcOptions,
    generator=FcGenerator,
    critic=FcCritic,
    encoder=FcEncoder,
)
