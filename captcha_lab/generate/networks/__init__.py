"""The network families, and the functions that build a seeded, initialised network from a specification."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields
from typing import Any, TypeVar

import torch

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
from captcha_lab.generate.networks.initialise import initialise
from captcha_lab.generate.networks.spectral import spectrally_normalise

__all__ = [
    "NETWORKS",
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
]

N = TypeVar("N", bound=torch.nn.Module)


def _discover() -> dict[str, Family]:
    """Every module of this package that holds a FAMILY, by the family's name."""
    modules = (importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    families = [m.FAMILY for m in modules if hasattr(m, "FAMILY")]
    return {family.name: family for family in sorted(families, key=lambda family: family.name)}


NETWORKS: dict[str, Family] = _discover()


def build_generator(spec: NetworkSpec, seed: int) -> GeneratorNetwork:
    """A generator with its first weights drawn from the seed; the global random state is left alone.

    Raises:
        UsageError: no such family or option, or the family can't make images of that shape.
    """
    family, options = _resolve(spec)
    return _seeded(lambda: family.generator(spec, options), spec, 4 * seed)


def build_critic(spec: NetworkSpec, seed: int) -> CriticNetwork:
    """The critic of the same specification (see `build_generator`); spectral norm is applied to it alone."""
    family, options = _resolve(spec)
    critic = _seeded(lambda: family.critic(spec, options), spec, 4 * seed + 1)
    return spectrally_normalise(critic, 4 * seed + 3) if getattr(options, "spectral", False) else critic


def build_encoder(spec: NetworkSpec, seed: int) -> EncoderNetwork:
    """The encoder that goes with the generator (see `build_generator`).

    Raises:
        UsageError: also where the family has none.
    """
    family, options = _resolve(spec)
    encoder = family.encoder
    if encoder is None:
        having = ", ".join(name for name, other in NETWORKS.items() if other.encoder)
        raise UsageError(f"The network family {spec.family!r} has no encoder; these have: {having}.")
    return _seeded(lambda: encoder(spec, options), spec, 4 * seed + 2)


def _resolve(spec: NetworkSpec) -> tuple[Family, Any]:
    """The family and its options as its own dataclass."""
    if spec.family not in NETWORKS:
        raise UsageError(f"No network family {spec.family!r}: choose one of {', '.join(NETWORKS)}.")
    family = NETWORKS[spec.family]
    known = [f.name for f in fields(family.options)]
    unknown = sorted(set(spec.options) - set(known))
    if unknown:
        raise UsageError(
            f"Networks of family {spec.family!r} have no option {', '.join(unknown)}; they have {', '.join(known)}."
        )
    return family, family.options(**spec.options)


def _seeded(build: Any, spec: NetworkSpec, seed: int) -> Any:
    """Build with a forked random state, then draw the weights by the specification's scheme."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network = build()
        except (RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(
                f"Networks of family {spec.family!r} can't be built with {dict(spec.options)}: {reason}."
            ) from error
    return initialise(network, spec.initialisation, torch.Generator().manual_seed(seed))
