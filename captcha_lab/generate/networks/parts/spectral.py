"""Spectral norm for a finished critic (Miyato et al. 2018): every weight divided by its largest singular value."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from captcha_lab.generate.networks.parts.layers import role

M = TypeVar("M", bound=nn.Module)


def spectrally_normalise(network: M, seed: int) -> M:
    """Parametrise every linear and convolutional weight in place; the power iteration starts from the seed.

    The state dictionary then holds `parametrizations.weight.original` and the iteration's vectors.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in list(network.modules()):
            if role(module) not in ("", "normalisation"):
                spectral_norm(module)
    return network
