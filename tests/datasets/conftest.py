"""A tiny CelebA in the official layout."""

from pathlib import Path

import pytest

from tests.datasets.datasets_helpers import PICTURES, face, write_jpeg, write_tables


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    root = tmp_path / "celeba"
    for k in range(1, PICTURES + 1):
        write_jpeg(root / "img_align_celeba" / f"{k:06d}.jpg", face(k))
    write_tables(root)
    return root
