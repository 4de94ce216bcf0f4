"""The peers' packages as they can be imported on a processor without a GPU's libraries, next to a newer torch.

Runs in the peers' own environment: nothing of captcha_lab is imported here. The packages' code is not changed; what
they expect of their surroundings, and don't use in training, is put there when they are imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch

_SCHEMAS: list[torch.library.Library] = []  # a library's definitions go with it


def with_torchvision() -> None:
    """Make torchvision importable where its compiled part does not load, as without a GPU's libraries.

    It describes the shapes of two of its operators when it is imported, and these must exist by then. Training uses
    neither.
    """
    found = importlib.util.find_spec("torchvision")
    if found is None or _SCHEMAS:
        return
    folder = Path(next(iter(found.submodule_search_locations or ())))
    for compiled in folder.glob("_C.*"):
        with suppress(OSError):
            torch.ops.load_library(str(compiled))
    if "torchvision::nms" in torch._C._dispatch_get_all_op_names():
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _SCHEMAS.append(library)


def mimicry() -> ModuleType:
    """torch_mimicry without its measures, which need TensorFlow, and its data sets, which need torch 1."""
    with_torchvision()
    for part in ("metrics", "datasets"):
        name = f"torch_mimicry.{part}"
        sys.modules.setdefault(name, ModuleType(name))
    for part in ("nets.sngan", "nets.ssgan", "nets.infomax_gan", "training"):
        importlib.import_module(f"torch_mimicry.{part}")
    return importlib.import_module("torch_mimicry")


def diffusion() -> ModuleType:
    """The module of denoising_diffusion_pytorch that has its `Trainer`, which reads pictures in this very process.

    It would start a process for every core of the machine, and take more cores than the others are given.
    """
    with_torchvision()
    module = importlib.import_module("denoising_diffusion_pytorch.denoising_diffusion_pytorch")
    vars(module)["cpu_count"] = lambda: 0
    return module


class _OnProcessor:
    """torch, but for the devices: each is the processor."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def device(self, *_: object) -> torch.device:
        return torch.device("cpu")


def lightweight() -> ModuleType:
    """lightweight_gan's module, on the processor: it asserts that there is a GPU, and moves everything there."""
    with_torchvision()
    if torch.cuda.is_available():
        raise RuntimeError("the peers are compared on the processor: hide the GPU from this process")
    with mock.patch.object(torch.cuda, "is_available", return_value=True):
        module = importlib.import_module("lightweight_gan.lightweight_gan")
    vars(module)["torch"] = _OnProcessor()
    for kind in (torch.Tensor, torch.nn.Module):
        kind.cuda = _stay  # type: ignore[method-assign]
    return module


def _stay(self: Any, *_: object, **__: object) -> Any:
    """In place of `.cuda()`."""
    return self
