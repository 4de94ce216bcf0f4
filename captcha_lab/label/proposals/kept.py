"""Look-alikes kept beside the catalog: the comparison takes seconds and depends on the glyphs alone."""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.label.proposals import lookalikes, shapes
from captcha_lab.label.proposals.lookalikes import LookAlikes, find_look_alikes
from captcha_lab.store.files import atomic_path

FILE = "look-alikes.npz"
VERSION = 1  # of the comparison: raise it when the code makes other look-alikes of the same glyphs


def kept_look_alikes(
    folder: Path,
    glyphs: NDArray[np.uint8],
    positions: NDArray[np.int64],
    *,
    max_shapes: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> LookAlikes:
    """`find_look_alikes`, read from the folder's file where that was made of these very glyphs, else written there.

    The file may be deleted at any time. One that is damaged, or can't be written, costs the comparison only.
    """
    path, key = folder / FILE, _key(glyphs, positions, max_shapes, seed)
    known = _read(path, key)
    if known is not None:
        return known
    look = find_look_alikes(glyphs, positions, max_shapes=max_shapes, seed=seed, progress=progress)
    try:
        with atomic_path(path) as temporary:
            np.savez(temporary, key=key, **{f.name: getattr(look, f.name) for f in fields(look)})
    except CaptchaLabError as error:
        logging.getLogger(__name__).warning("%s", error)
    return look


def _key(glyphs: NDArray[np.uint8], positions: NDArray[np.int64], *settings: int) -> str:
    """Names the glyphs and everything else that the comparison depends on."""
    constants = [
        (module.__name__, name, getattr(module, name))
        for module in (lookalikes, shapes)
        for name in sorted(vars(module))
        if name.isupper()
    ]
    said = repr((VERSION, glyphs.shape, positions.dtype.str, settings, constants))
    digest = hashlib.sha256(said.encode())
    digest.update(np.ascontiguousarray(glyphs).tobytes())
    digest.update(np.ascontiguousarray(positions).tobytes())
    return digest.hexdigest()


def _read(path: Path, key: str) -> LookAlikes | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return None
            values = {f.name: stored[f.name] for f in fields(LookAlikes)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return LookAlikes(**(values | {"exact": bool(values["exact"])}))
