"""What every network family shares: the shapes that go in and out, the specification, the registry's entries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from captcha_lab.errors import UsageError
from captcha_lab.generate.recipe import SEMI

CONDITIONINGS = ("none", "concat", "projection", "auxiliary", SEMI)
OUTPUT_RANGES = ((0.0, 1.0), (-1.0, 1.0))


class Criticism(NamedTuple):
    """A critic's output for N images."""

    score: Tensor
    """[N] raw score, larger = more real; never through a sigmoid. Energy critics give minus the energy."""
    features: Tensor
    """[N, F] a hidden layer, for feature matching."""
    class_logits: Tensor | None = None
    """[N, K] the auxiliary classifier's head, where the network has one."""
    reconstruction: Tensor | None = None
    """[N, C, H, W] what an auto-encoding (energy) critic made of the images."""
    code: Tensor | None = None
    """[N, K + 2 M] what a code head read (see `parts.codes.CodeHead`)."""


class Encoding(NamedTuple):
    """Where an encoder places N images in noise space."""

    mean: Tensor
    """[N, Z]"""
    log_variance: Tensor | None = None
    """[N, Z] for variational encoders, None for deterministic ones."""


@dataclass(frozen=True)
class NetworkSpec:
    """Everything needed to rebuild a network with no recipe at hand; goes into the metadata of its weights.

    Raises:
        UsageError: an impossible combination (see the messages).
    """

    family: str
    image_shape: tuple[int, int, int]
    """(C, H, W)."""
    noise_size: int
    """Z, the length of the noise vector."""
    classes: int = 0
    """K, the length of the condition (classes or attributes); 0 = unconditional."""
    conditioning: str = "none"
    """none, concat (to the inputs of fully connected layers), projection (critic's inner product with the
    features; the generator still concatenates), auxiliary (the critic classifies instead of taking the condition) or
    semi-supervised (so does the critic, generated images being one more class, and the generator takes none)."""
    output_range: tuple[float, float] = (0.0, 1.0)
    """(0, 1): the generator ends in a sigmoid; (-1, 1): in a tanh."""
    initialisation: str = "torch"
    """A name of `captcha_lab.generate.networks.parts.initialise.SCHEMES`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The family's own keyword options (its `Family.options` dataclass names them)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_shape", tuple(int(n) for n in self.image_shape))
        object.__setattr__(self, "output_range", tuple(float(v) for v in self.output_range))
        if self.conditioning not in CONDITIONINGS:
            raise UsageError(
                f"No conditioning {self.conditioning!r}: choose one of {', '.join(CONDITIONINGS)}."
            )
        if (self.conditioning == "none") != (self.classes == 0):
            raise UsageError(
                f"Conditioning {self.conditioning!r} with {self.classes} classes: a conditional network needs "
                "classes or attributes (--label), an unconditional one has none (--no-label)."
            )
        if self.output_range not in OUTPUT_RANGES:
            raise UsageError(f"Output range {self.output_range} is neither (0, 1) nor (-1, 1).")
        if len(self.image_shape) != 3 or min(self.image_shape) < 1 or self.noise_size < 1:
            raise UsageError(
                f"Images {self.image_shape} from noise of {self.noise_size} cannot be generated."
            )

    @property
    def of_generator(self) -> NetworkSpec:
        """The specification as the generator sees it: with semi-supervised conditioning it is unconditional."""
        return replace(self, classes=0, conditioning="none") if self.conditioning == SEMI else self

    def as_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`; `from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NetworkSpec:
        """Rebuild a specification; unknown keys are refused by name (UsageError)."""
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise UsageError(f"A network specification has no field {', '.join(unknown)}.")
        return cls(**values)


class ConditionalNetwork(nn.Module, ABC):
    """A network that may be conditioned; checks that it gets a condition exactly when it needs one."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.classes = spec.classes
        self.noise_size = spec.noise_size
        self.image_shape = spec.image_shape

    def checked(self, condition: Tensor | None, expected: bool) -> Tensor | None:
        """The condition where one is expected, None where the network takes none.

        Raises:
            ValueError: a condition is needed and missing, or has other than [N, K] values.
        """
        if not expected:
            return None
        if condition is None or condition.ndim != 2 or condition.shape[1] != self.classes:
            got = "none" if condition is None else str(tuple(condition.shape))
            raise ValueError(f"{type(self).__name__} needs a condition [N, {self.classes}], got {got}")
        return condition


class GeneratorNetwork(ConditionalNetwork):
    """Noise [N, Z] and a condition [N, K] (float; None when unconditional) to images [N, C, H, W]."""

    @abstractmethod
    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """Images in the specification's output range."""


class CodeReader(Protocol):
    """Reads off features what codes an image was made from (see `parts.codes.CodeHead`)."""

    @property
    def entropy(self) -> float: ...  # noqa: D102

    def __call__(self, features: Tensor) -> Tensor: ...  # noqa: D102

    def log_likelihood(self, output: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]: ...  # noqa: D102


class CriticNetwork(ConditionalNetwork):
    """Images [N, C, H, W] (in the output range) and a condition [N, K] or None to a `Criticism`."""

    form = "score"
    """score, or energy: the score is minus the error of an auto-encoder, never above 0."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__(spec)
        # What reads the codes that an image was made from, where the networks have codes.
        self.code_head: CodeReader | None = None
        self.conditioned = spec.conditioning in ("concat", "projection")
        self.concat = spec.conditioning == "concat"
        # How many values a family's own layers are to take in beside the image; projection happens in the head.
        self.conditions = spec.classes if self.concat else 0

    @abstractmethod
    def forward(self, images: Tensor, condition: Tensor | None = None) -> Criticism:
        """Score, features and whatever heads the network has. Auxiliary critics ignore the condition."""


class EncoderNetwork(ConditionalNetwork):
    """Images [N, C, H, W] back to noise space, for mode regularisation and variational auto-encoders."""

    @abstractmethod
    def forward(self, images: Tensor, condition: Tensor | None = None) -> Encoding:
        """Mean [N, Z], and log variance where the encoder is variational."""


@dataclass(frozen=True)
class Family:
    """One entry of the registry: how to build a pair of networks from a specification and the family's options.

    A module of this package that holds a `FAMILY` is in the registry; nothing else has to be touched.
    The builders raise UsageError where the family can't make images of the asked shape.
    """

    name: str
    summary: str
    options: type
    """A frozen dataclass: the keyword options and their defaults."""
    generator: Callable[[NetworkSpec, Any], GeneratorNetwork]
    critic: Callable[[NetworkSpec, Any], CriticNetwork]
    encoder: Callable[[NetworkSpec, Any], EncoderNetwork] | None = None
