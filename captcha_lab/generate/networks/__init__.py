"""The network families, and the functions that build a seeded, initialised network from a specification."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

import torch

from captcha_lab.discovery import discover
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
from captcha_lab.generate.networks.parts.heads import CriticHead
from captcha_lab.generate.networks.parts.initialise import initialise
from captcha_lab.generate.networks.parts.spectral import spectrally_normalise
from captcha_lab.generate.recipe import SEMI

__all__ = [
    "CriticNetwork",
    "Criticism",
    "EncoderNetwork",
    "Encoding",
    "Family",
    "GeneratorNetwork",
    "NetworkSpec",
    "build_critic",
    "build_encoder",
    "build_generator",
    "families",
]

Network = TypeVar("Network", bound=torch.nn.Module)


@cache
def families() -> dict[str, Family]:
    """Every family by its name: each module of this package with a `FAMILY` holds one."""
    return {family.name: family for family in discover(__name__, "FAMILY").values()}


def build_generator(spec: NetworkSpec, seed: int) -> GeneratorNetwork:
    """A generator with its first weights drawn from the seed; the global random state is left alone.

    Raises:
        UsageError: no such family or option, or the family can't make images of that shape.
    """
    family, options = _resolve(spec)
    return _seeded(family.generator, spec.of_generator, options, 4 * seed)


def build_critic(spec: NetworkSpec, seed: int) -> CriticNetwork:
    """The critic of the same specification (see `build_generator`); spectral norm is applied to it alone."""
    family, options = _resolve(spec)
    critic = _seeded(family.critic, spec, options, 4 * seed + 1)
    if spec.conditioning == SEMI and not any(isinstance(part, CriticHead) for part in critic.modules()):
        raise UsageError(f"Networks of family {spec.family!r} with these options can't be semi-supervised.")
    return spectrally_normalise(critic, 4 * seed + 3) if getattr(options, "spectral", False) else critic


def build_encoder(spec: NetworkSpec, seed: int) -> EncoderNetwork:
    """The encoder that goes with the generator (see `build_generator`).

    Raises:
        UsageError: also where the family has none.
    """
    family, options = _resolve(spec)
    if family.encoder is None:
        having = ", ".join(name for name, other in families().items() if other.encoder)
        raise UsageError(f"The network family {spec.family!r} has no encoder; these have: {having}.")
    return _seeded(family.encoder, spec, options, 4 * seed + 2)


def _resolve(spec: NetworkSpec) -> tuple[Family, Any]:
    """The family and its options as its own dataclass."""
    if spec.family not in families():
        raise UsageError(f"No network family {spec.family!r}: choose one of {', '.join(families())}.")
    family = families()[spec.family]
    known = [f.name for f in fields(family.options)]
    unknown = sorted(set(spec.options) - set(known))
    if unknown:
        raise UsageError(
            f"Networks of family {spec.family!r} have no option {', '.join(unknown)}; they have {', '.join(known)}."
        )
    options = family.options(**spec.options)
    for name in known:
        _check_option(spec.family, name, getattr(family.options(), name), getattr(options, name))
    return family, options


def _check_option(family: str, name: str, default: Any, value: Any) -> None:
    """Raises UsageError for an option that is to be a number, or true or false, and is none, or is below zero."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise UsageError(f"The option {name} of the networks {family!r} is true or false, not {value!r}.")
    elif isinstance(default, int | float) and not (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
    ):
        raise UsageError(
            f"The option {name} of the networks {family!r} is {value!r}: give a number that is not below zero."
        )


def _seeded(
    build: Callable[[NetworkSpec, Any], Network], spec: NetworkSpec, options: Any, seed: int
) -> Network:
    """Build with a forked random state, then draw the weights by the specification's scheme."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network = build(spec, options)
        except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(
                f"Networks of family {spec.family!r} can't be built with {dict(spec.options)}: {reason}."
            ) from error
    return initialise(network, spec.initialisation, torch.Generator().manual_seed(seed))
