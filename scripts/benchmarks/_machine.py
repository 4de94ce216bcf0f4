"""What every benchmark says about where it ran."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any


def facts() -> dict[str, Any]:
    """Processor, cores usable by this process, and versions of what does the work."""
    import numpy
    import torch

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def shared_data() -> Path:
    """The folder of real data beside the checkout."""
    return Path(__file__).resolve().parents[2].parent / "shared" / "data"


def show(report: str) -> None:
    """A table for people, on stderr beside the JSON object."""
    print(report, file=sys.stderr)
