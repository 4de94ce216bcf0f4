"""Networks rebuilt from their model files: one place that says what may be wrong with such a file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.runs import load_weights

Network = TypeVar("Network", bound=nn.Module)


@contextmanager
def described(path: Path) -> Iterator[None]:
    """A block that makes something of a model file's metadata, which may say anything.

    Raises:
        CaptchaLabError: what the block raised says that the metadata are not those of such a model.
    """
    try:
        yield
    except CaptchaLabError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CaptchaLabError(
            f"The model {path} does not fit its own description ({reason}): train again."
        ) from error


def restore(
    path: Path,
    what: str,
    architecture: str,
    scalings: Container[str],
    build: Callable[[dict[str, Any]], Network],
) -> tuple[Network, dict[str, Any]]:
    """A trained network and the metadata of its file.

    Args:
        path: model file or run folder.
        what: what a reader of the error message expects there, such as "a recogniser".
        architecture: the one whose weights these must be.
        scalings: how pixels may have been scaled for it.
        build: makes the untrained network from the metadata.

    Raises:
        CaptchaLabError: the file is absent, damaged or holds another model.
    """
    tensors, metadata = load_weights(path)
    if metadata["architecture"] != architecture or metadata.get("scaling") not in scalings:
        raise CaptchaLabError(f"{path} holds a {metadata['architecture']}, not {what} this version reads.")
    with described(path):
        return rebuilt(lambda: build(metadata), tensors), metadata


def rebuilt(build: Callable[[], Network], tensors: dict[str, torch.Tensor]) -> Network:
    """The network that `build` makes, with these tensors.

    Raises:
        ValueError: they are not of its sizes.
    """
    # On this device nothing takes memory, whatever size is claimed; torch warns of none.
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        claimed = build().state_dict()
    if {key: tensor.shape for key, tensor in claimed.items()} != {k: t.shape for k, t in tensors.items()}:
        raise ValueError("its tensors are not of the sizes it says")
    network = build()
    network.load_state_dict(tensors)
    return network
