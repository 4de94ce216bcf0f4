"""What a recipe is: the names of parts and the hyper-parameters that make one generative system. No torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from captcha_lab.errors import UsageError
from captcha_lab.store.shapes import misfit

SEMI = "semi-supervised"
OPTIMISERS = ("adam", "rmsprop", "rmsprop-tensorflow", "sgd")
CLIP_SCOPES = ("all", "update")
FAKE_LABELS = ("data", "uniform")
NOISES = ("normal", "uniform")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Recipe:
    """One system: network pair x loss x constraint x conditioning x optimiser schedule x remedies.

    A field left at its default is a part that the system does not use. Images of another size or number of
    channels than `image_shape` are welcome: the networks are built for the data, unless `resize` is set.

    Raises:
        UsageError: a value that no part understands, with the values that are.
    """

    name: str
    summary: str
    """One line for `train-gen --list`."""
    source: str
    """Where the system is described."""

    # Networks
    network: str
    """A family of `captcha_lab.generate.networks`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The family's keyword options (`update`, `spectral`, `minibatch`, ...)."""
    image_shape: tuple[int, int, int] = (1, 20, 20)
    """(C, H, W) of the source's images: used for dry runs and tests without data."""
    resize: bool = False
    """True: the networks work only at `image_shape`, so the data is scaled to it."""
    classes: int = 32
    """The source's number of classes or attributes: used when there is no data."""
    output_range: tuple[float, float] = (0.0, 1.0)
    noise: str = "normal"
    """normal = N(0, 1); uniform = U(-1, 1)."""
    noise_size: int = 128
    spread: float = 1.0
    """Samples are drawn from noise so many times as wide as in training. Above 1 they vary more; more are bad."""
    initialisation: str = "torch"
    """A scheme of `captcha_lab.generate.networks.parts.initialise`."""

    # Conditioning
    conditioning: str = "none"
    """none, concat, projection, auxiliary or semi-supervised (see `networks.base.CONDITIONINGS`)."""
    auxiliary_weight: float = 0.0
    """Weight of the classifier head's cross-entropy in both losses (AC-GAN); the critic must have such a head."""
    auxiliary_on_fake: bool = True
    """AC-GAN teaches the classifier on fakes too; False teaches it on real images only."""
    fake_labels: str = "data"
    """data: the labels of the real batch; uniform: every class, or random texts (the slides' conditional GAN)."""
    wrong_labels: bool = False
    """Improved conditional GAN: real images with wrong labels are further negatives (Reed et al. 2016)."""

    # Loss
    loss: str = "gan"
    """A name of `captcha_lab.generate.losses`."""
    loss_options: Mapping[str, Any] = field(default_factory=dict)

    # Constraints on the critic
    clip: float = 0.0
    """Weights are clipped to [-clip, clip] after each step; 0 = never."""
    clip_scope: str = "all"
    """all: every weight and bias of the critic, but no gain of a normalisation; update: the thesis's (section 4.4)."""
    gradient_penalty: float = 0.0
    """Lambda of WGAN-GP (Gulrajani et al. 2017, eq. 3)."""
    penalty_inference: bool = False
    """The gradient penalty calls the critic in inference mode: running statistics, no dropout."""
    r1: float = 0.0
    """Gamma of R1 (Mescheder et al. 2018, eq. 9): gamma/2 E|grad|^2 at real images."""
    r2: float = 0.0
    """Gamma of R2: the same at generated images."""
    penalty_end: float = 1.0
    """R1's and R2's gammas at the end of the run, as a multiple of those at its start; half a cosine lies between."""
    penalty_every: int = 1
    """Compute the penalties on every n-th critic step only, n times as strong (lazy regularisation)."""

    # Augmentation
    flips: bool = False
    """Real images are mirrored half of the time: for pictures whose left and right mean nothing, such as faces."""
    translation: float = 0.0
    """Every image the critic sees, real or made, is moved by up to this share of its side either way."""

    # Optimisers
    optimiser: str = "adam"
    """adam, sgd, rmsprop, or rmsprop-tensorflow, whose mean square starts at 1, so that the first steps are short."""
    learning_rate: float = 2e-4
    generator_rate: float = 1.0
    """The generator's learning rate as a multiple of the critic's, which is `learning_rate`."""
    beta1: float = 0.5
    """First moment of Adam; momentum of SGD."""
    beta2: float = 0.999
    """Second moment of Adam; smoothing of RMSProp."""
    batch_size: int = 64
    schedule: str = "constant"
    """cosine: the learning rate falls to `rate_end` along half a cosine over the run."""
    rate_end: float = 0.0
    """Share of the learning rate left at the end of a cosine schedule."""
    warmup: int = 0
    """Iterations over which the learning rate rises linearly from zero."""

    # Order of steps
    critic_steps: int = 1
    generator_steps: int = 1
    reuse_fake: bool = False
    """Both players' steps use the same generated images; with `generator_first` those made before its step."""
    generator_first: bool = False
    """The generator is updated before the critic in each iteration."""
    simultaneous: bool = False
    """Both players step from one forward pass, at the same weights: the critic's step does not come first."""
    opening: tuple[int, int, int] | None = None
    """(iterations, critic steps, generator steps) at the start of the run."""
    switch: bool = False
    """The thesis's rule: the opening ends once the critic's loss falls steadily, at the latest as it says."""

    # Remedies for collapse
    feature_matching: float = 0.0
    """Weight of the distance between mean critic features (Salimans et al. 2016, section 3.1)."""
    adversarial_weight: float = 1.0
    """Weight of the loss itself for the generator; 0 leaves it feature matching alone."""
    replay: float = 0.0
    """Share of each fake batch that the critic sees that comes from old samples."""
    ema: float = 0.0
    """Decay of the generator's moving average, per generator step; 0 = off, the last weights are used."""

    # Arithmetic
    bfloat16: bool = False
    """Its quality was measured to be the same in bfloat16, so that precision `auto` may choose it."""

    # Length
    iterations: int = 1000
    """One iteration is `critic_steps` critic and `generator_steps` generator updates."""

    notes: str = ""
    """What the source is silent, unclear or wrong about, and what was chosen instead."""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"Recipe {self.name}: {name} {getattr(self, name)!r} is unknown; "
                    f"choose one of {', '.join(choices)}."
                )
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise UsageError(f"Recipe {self.name}: {name} is {value:g}, not a finite number.")
        for name, least in _AT_LEAST.items():
            if getattr(self, name) < least:
                raise UsageError(
                    f"Recipe {self.name}: {name} must be at least {least}, not {getattr(self, name)}."
                )
        for name in ("learning_rate", "generator_rate", "spread"):
            if getattr(self, name) <= 0:
                raise UsageError(
                    f"Recipe {self.name}: {name} is {getattr(self, name):g}: give a number above zero."
                )
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise UsageError(f"Recipe {self.name}: {name} is {getattr(self, name)}, below zero.")
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"Recipe {self.name}: {name} must be in [0, 1), not {getattr(self, name)}.")
        if self.opening is not None and min(self.opening) < 1:
            raise UsageError(f"Recipe {self.name}: opening {self.opening} has a number below 1.")
        if self.simultaneous and (self.critic_steps, self.generator_steps) != (1, 1):
            raise UsageError(f"Recipe {self.name}: simultaneous steps are one of each player.")
        if self.wrong_labels and self.conditioning not in ("concat", "projection"):
            raise UsageError(
                f"Recipe {self.name}: wrong labels need a critic that is conditioned (concat or projection)."
            )
        if self.auxiliary_weight and not self.uses_labels:
            raise UsageError(f"Recipe {self.name}: a classifier's weight needs labels to classify (--label).")

    @property
    def labelled(self) -> bool:
        """Whether the generator is conditioned."""
        return self.conditioning not in ("none", SEMI)

    @property
    def uses_labels(self) -> bool:
        """Whether the generator or the critic needs labels; a semi-supervised critic needs a few."""
        return self.conditioning != "none"

    @property
    def constrained(self) -> bool:
        """Whether a clip or a penalty holds the critic."""
        return bool(self.clip or self.gradient_penalty or self.r1 or self.r2)

    def epochs_per_iteration(self, images: int) -> float:
        """Passes over so many images that the critic's steps of one iteration make (a loss without one: its own)."""
        return self.batch_size * self.critic_steps / images

    def as_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`; `from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Recipe:
        """Rebuild a recipe from `as_json`; lists become tuples again.

        Fields of earlier versions are accepted where they said nothing.

        Raises:
            UsageError: a field that no recipe has, or of another type than it has.
        """
        if not isinstance(values, Mapping):
            raise UsageError(f"A recipe is an object of fields, not {values!r:.40}.")
        values = {k: v for k, v in values.items() if k not in _REMOVED or v != _REMOVED[k]}
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise UsageError(f"A recipe has no field {', '.join(unknown)}.")
        # A field is of its default's type; what has none, or None, is checked by what it is used for.
        shapes: dict[str, type] = {
            f.name: type(f.default) for f in fields(cls) if isinstance(f.default, bool | int | float | str)
        }
        shapes |= {f.name: dict for f in fields(cls) if isinstance(f.default_factory, type)}
        if wrong := misfit(dict(values), shapes):
            raise UsageError(f"A field of the recipe is of another type than it has: {wrong}.")
        try:
            return cls(**{key: _frozen(value) for key, value in values.items()})
        except (TypeError, AttributeError, ArithmeticError, ValueError) as error:
            raise UsageError(f"A field of the recipe is of another type than it has ({error}).") from error

    def with_label(self, conditioning: str = "concat") -> Recipe:
        """The conditional form of an unconditional recipe; a conditional one as it is."""
        return self if self.labelled else replace(self, conditioning=conditioning, auxiliary_weight=0.0)

    def without_label(self) -> Recipe:
        """The unconditional form: no condition, no classifier head, no wrong labels."""
        return replace(
            self, conditioning="none", auxiliary_weight=0.0, wrong_labels=False, fake_labels="data"
        )


def half_cosine(t: float) -> float:
    """1 at t = 0 to 0 at t = 1, flat at both ends: the form of every schedule."""
    return 0.5 * (1 + math.cos(math.pi * t))


def _frozen(value: Any) -> Any:
    """JSON's lists as tuples, in objects too."""
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


# Fields of recipes made before, with the values that meant the same as leaving them away.
_REMOVED: dict[str, Any] = {"critic_learning_rate": None, "label_smoothing": 0.0, "replay_size": 2048}
_CHOICES: dict[str, tuple[str, ...]] = {
    "optimiser": OPTIMISERS,
    "clip_scope": CLIP_SCOPES,
    "fake_labels": FAKE_LABELS,
    "noise": NOISES,
    "schedule": SCHEDULES,
}
_AT_LEAST = {
    "noise_size": 1, "iterations": 1, "penalty_every": 1, "critic_steps": 1, "generator_steps": 1,
    "batch_size": 2,  # one image has no batch statistics
}  # fmt: skip
_NOT_NEGATIVE = (
    "clip", "gradient_penalty", "penalty_end", "rate_end", "r1", "r2", "warmup", "feature_matching",
    "adversarial_weight", "auxiliary_weight",
)  # fmt: skip
_SHARES = ("beta1", "beta2", "replay", "ema", "translation")
