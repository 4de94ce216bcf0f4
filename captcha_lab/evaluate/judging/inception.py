"""Literature FID, where the user has the Inception weights: nothing is downloaded."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from captcha_lab.errors import CaptchaLabError
from captcha_lab.evaluate.subject import Extractor, Images

SIDE = 299  # pixels: the network's input
_BATCH = 32


def load_inception(path: Path) -> Extractor:
    """Inception-v3 features from a TorchScript file, as NVlabs publish it (`inception-2015-12-05.pt`).

    The file holds the original TensorFlow network and takes uint8 images [N, 3, H, W]; it resizes and scales by
    itself and gives 2,048 features. Grey images are repeated over the three colours.

    Raises:
        CaptchaLabError: it is no such file.
    """
    if not path.is_file():
        raise CaptchaLabError(f"There are no Inception weights at {path}: name a TorchScript file.")
    try:
        with warnings.catch_warnings():
            # TorchScript is deprecated, but it is what the weights were published as.
            warnings.simplefilter("ignore", DeprecationWarning)
            network = torch.jit.load(str(path), map_location="cpu").eval()
        _features(network, np.zeros((1, 32, 32, 3), np.uint8))
    except (RuntimeError, ValueError, TypeError) as error:
        raise CaptchaLabError(
            f"{path} is not the Inception TorchScript file: `inception-2015-12-05.pt` is what fits."
        ) from error
    return Extractor("inception-v3", lambda images: _features(network, images), "inception")


@torch.inference_mode()
def _features(network: torch.jit.ScriptModule, images: Images) -> NDArray[np.float64]:
    """uint8 [N, H, W] or [N, H, W, 3] to float64 [N, D]."""
    parts = []
    for start in range(0, len(images), _BATCH):
        block = images[start : start + _BATCH]
        colour = np.repeat(block[..., None], 3, axis=3) if block.ndim == 3 else block
        large = np.stack([cv2.resize(i, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for i in colour])
        planes = torch.from_numpy(np.ascontiguousarray(large.transpose(0, 3, 1, 2)))
        parts.append(network(planes, return_features=True).double().numpy())
    return np.concatenate(parts)
