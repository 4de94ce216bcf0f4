"""The end of every critic: features to a score, conditioned on the class or classifying as the specification says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from captcha_lab.generate.networks.base import Criticism, CriticNetwork, NetworkSpec
from captcha_lab.generate.networks.parts.layers import MinibatchDiscrimination, joined, with_planes
from captcha_lab.generate.networks.parts.normalise import NormOptions
from captcha_lab.generate.recipe import SEMI


@dataclass(frozen=True)
class CriticOptions(NormOptions):
    """Keyword options that the critics of all families have."""

    spectral: bool = False  # spectral norm on every weight (applied by `build_critic`)
    minibatch: int = 0  # kernels of minibatch discrimination before the score, 0 = none
    minibatch_size: int = 8  # length of each kernel's vector


class Projection(nn.Linear):
    """Conditions [N, K] to vectors [N, F], for an inner product with features (Miyato and Koyama 2018, eq. 3).

    The vectors begin about as long as one feature. By the scheme of the other weights, which looks at the few values
    that enter, they would be as long as all features together: a critic of faces gave scores of 12 at first, and its
    generator learnt nothing in 200 iterations.
    """

    def __init__(self, conditions: int, features: int) -> None:
        super().__init__(conditions, features, bias=False)

    def reset_parameters(self) -> None:
        """Called by the constructor."""
        nn.init.normal_(self.weight, std=self.out_features**-0.5)

    def set_initial_weights(self) -> None:
        """Those of the constructor are kept."""


class PlanesCritic(CriticNetwork):
    """Convolutions, which see the condition as planes beside the image, and a head.

    Args:
        spec: of the networks.
        options: of the head.
        convolutions: images and planes [N, C + conditions, H, W] to features [N, F].
        features: F.
    """

    def __init__(
        self, spec: NetworkSpec, options: CriticOptions, convolutions: nn.Module, features: int
    ) -> None:
        super().__init__(spec)
        self.convolutions = convolutions
        self.head = CriticHead(spec, options, features)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Criticism:
        """See `CriticNetwork`."""
        condition = self.checked(condition, self.conditioned)
        seen = with_planes(images, condition if self.concat else None)
        return self.head(self.convolutions(seen), condition)


class CriticHead(nn.Module):
    """Features [N, F] and a condition [N, K] or None to a `Criticism`.

    projection adds the inner product of the features with a learned vector per class (Miyato and Koyama 2018,
    eq. 3, for attribute vectors the sum of their vectors); auxiliary adds a linear classifier (Odena et al. 2017).
    With `concat` the condition is also concatenated here. Semi-supervised critics have a classifier alone: with logit 0
    for generated images, the log-odds that an image is of any real class, log sum exp of the logits, is the score
    (Salimans et al. 2016, section 5).
    """

    __call__: Callable[..., Criticism]

    def __init__(
        self,
        spec: NetworkSpec,
        options: CriticOptions,
        features: int,
        *,
        bias: bool = True,
        concat: bool = False,
    ) -> None:
        super().__init__()
        self.concat = concat and spec.conditioning == "concat"
        kernels = options.minibatch
        self.minibatch = (
            MinibatchDiscrimination(features, kernels, options.minibatch_size) if kernels else None
        )
        inputs = features + kernels
        semi, width = spec.conditioning == SEMI, inputs + (spec.classes if self.concat else 0)
        self.score = None if semi else nn.Linear(width, 1, bias=bias)
        self.projection = Projection(spec.classes, inputs) if spec.conditioning == "projection" else None
        classifies = semi or spec.conditioning == "auxiliary"
        self.classifier = nn.Linear(inputs, spec.classes) if classifies else None

    def forward(self, features: Tensor, condition: Tensor | None) -> Criticism:
        """The features returned are those given, before minibatch discrimination."""
        seen = features if self.minibatch is None else self.minibatch(features)
        logits = None if self.classifier is None else self.classifier(seen)
        if self.score is None:
            assert logits is not None
            return Criticism(logits.logsumexp(1), features, logits)
        score = self.score(joined(seen, condition if self.concat else None)).squeeze(1)
        if self.projection is not None and condition is not None:
            score = score + (self.projection(condition) * seen).sum(1)
        return Criticism(score, features, logits)
