"""Fixtures shared by all rooms."""

from pathlib import Path

import pytest
import torch

# Tests run in two worker processes on two cores: more threads per process only fight each other.
torch.set_num_threads(1)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real data is not beside the checkout ({SHARED_DATA.name} folder absent)")
    return SHARED_DATA
