"""Checksums over weights and checkpoints: a flipped bit is said, never computed with."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from captcha_lab.errors import CaptchaLabError

if TYPE_CHECKING:
    import torch

CHECKSUM = "sha256"  # the name it has among a model file's metadata


def digest(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 in hex over names, types, shapes and values of tensors and over all metadata but the checksum itself."""
    import torch

    total = hashlib.sha256()
    for key in sorted(metadata):
        if key != CHECKSUM:
            total.update(f"{key}\0{metadata[key]}\0".encode(errors="surrogatepass"))
    for key in sorted(tensors):
        tensor = tensors[key].detach().cpu().contiguous()
        total.update(f"{key}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode(errors="surrogatepass"))
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def check_weights(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Refuse tensors that are not those that were written; files made before state no checksum.

    Raises:
        CaptchaLabError: the checksum is wrong, or a value is NaN or infinite; the message gives the reason only.
    """
    if CHECKSUM in metadata and metadata[CHECKSUM] != digest(tensors, metadata):
        raise CaptchaLabError("its checksum is wrong: it was changed after it was written")
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise CaptchaLabError(f"{key} holds NaN or infinity")


def check_archive(path: Path) -> None:
    """Compare every entry of a zip file, which is what a checkpoint is, with its checksum: torch does not.

    Raises:
        CaptchaLabError: one is wrong; the message gives the reason only.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise CaptchaLabError("it claims more than it holds")  # torch packs nothing
            damaged = archive.testzip()
    except CaptchaLabError:
        raise
    except Exception as error:  # a damaged archive makes zipfile raise nearly anything
        raise CaptchaLabError(str(error) or type(error).__name__) from error
    if damaged is not None:
        raise CaptchaLabError(f"the checksum of {damaged} in it is wrong")
