"""The parts of a tiny CelebA in the official layout."""

from pathlib import Path

import cv2
import numpy as np

ATTRIBUTES = ("Smiling", "Male", "Young")
PICTURES = 20


def face(seed: int, width: int = 178, height: int = 218) -> np.ndarray:
    """Smooth colours: what a JPEG keeps."""
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 256, (5, 4, 3), np.uint8), (width, height))


def write_jpeg(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", rgb[..., ::-1] if rgb.ndim == 3 else rgb)[1].tobytes())


def attribute_rows() -> list[list[int]]:
    signs: list[list[int]] = np.where(np.random.default_rng(7).random((PICTURES, 3)) < 0.5, -1, 1).tolist()
    return signs


def write_tables(root: Path) -> None:
    names = [f"{k:06d}.jpg" for k in range(1, PICTURES + 1)]
    rows = [" ".join([n, *map(str, a)]) for n, a in zip(names, attribute_rows(), strict=True)]
    text = "\n".join([str(PICTURES), " ".join(ATTRIBUTES), *rows]) + "\n"
    (root / "list_attr_celeba.txt").write_text(text)
    split = [0] * 14 + [1] * 3 + [2] * 3
    (root / "list_eval_partition.txt").write_text(
        "".join(f"{n} {s}\n" for n, s in zip(names, split, strict=True))
    )
    (root / "identity_CelebA.txt").write_text("".join(f"{n} {k // 2}\n" for k, n in enumerate(names)))
