"""Cells as a reader of whole captchas sees the characters stand; it needs that reader, so nothing is found here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from captcha_lab.segment.method import Box, Method


def boxes(ink: NDArray[np.bool_], count: int | None) -> list[Box]:
    """No cells: `datasets.cutting` asks the reader itself."""
    return []


METHOD = Method("reader", "reader-1", "cells as a trained reader of whole captchas sees them", boxes)
