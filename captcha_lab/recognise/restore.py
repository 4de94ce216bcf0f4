"""Networks rebuilt from their model files: one place that says what may be wrong with such a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.runs import load_weights

Network = TypeVar("Network", bound=nn.Module)


def restore(
    path: Path, what: str, architecture: str, scaling: str, build: Callable[[dict[str, Any]], Network]
) -> tuple[Network, dict[str, Any]]:
    """A trained network and the metadata of its file.

    Args:
        path: model file or run folder.
        what: what a reader of the error message expects there, such as "a recogniser".
        architecture: the one whose weights these must be.
        scaling: how pixels must have been scaled for it.
        build: makes the untrained network from the metadata.

    Raises:
        CaptchaLabError: the file is absent, damaged or holds another model.
    """
    tensors, metadata = load_weights(path)
    if metadata["architecture"] != architecture or metadata.get("scaling") != scaling:
        raise CaptchaLabError(f"{path} holds a {metadata['architecture']}, not {what} this version reads.")
    try:
        network = build(metadata)
        network.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise CaptchaLabError(
            f"The model {path} does not fit its own description ({error}): train again."
        ) from error
    return network, metadata
