"""Several processes, one global batch: what each of them takes, and what they add up.

Every process draws the noise, labels and rows of the whole batch from the same seed and keeps its part, so the
numbers do not depend on how many processes there are. Gradients are summed by hand: a wrapper around the module
can't see through the double backward of a gradient penalty.
"""

from __future__ import annotations

import atexit
import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from captcha_lab.errors import CaptchaLabError, UsageError

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Group:
    """This process among `world`; rank 0 writes files and prints.

    Whatever the processes do together raises CaptchaLabError where one of them has ended.
    """

    rank: int = 0
    world: int = 1
    device: str = "cpu"
    """Where the processes' messages must lie: the process's own GPU with NCCL."""

    @property
    def leads(self) -> bool:
        """Whether this process writes and prints."""
        return self.rank == 0

    def part(self, n: int) -> slice:
        """The rows of a global batch of n that are this process's.

        Raises:
            UsageError: n can't be divided evenly.
        """
        if n % self.world:
            raise UsageError(
                f"A batch of {n} can't be shared by {self.world} processes: choose a multiple of {self.world}."
            )
        size = n // self.world
        return slice(self.rank * size, (self.rank + 1) * size)

    def share(self, n: int) -> slice:
        """This process's rows of n that need not divide evenly."""
        bounds = [n * k // self.world for k in range(self.world + 1)]
        return slice(bounds[self.rank], bounds[self.rank + 1])

    def rows(self, n: int) -> slice:
        """This process's rows of a batch of n whose mean gradient is wanted; all of them where n can't be divided.

        The processes' gradients then have the global batch's as their mean, in either case.
        """
        return slice(0, n) if n % self.world else self.part(n)

    def gather(self, value: Any) -> list[Any]:
        """Every process's value in the first process, in order; empty in the others."""
        if self.world == 1:
            return [value]
        parts: list[Any] | None = [None] * self.world if self.leads else None
        with _together():
            dist.gather_object(value, parts)
        return parts or []

    def mean(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Each tensor's mean over the processes; no gradient flows."""
        if self.world == 1:
            return list(tensors)
        flat = torch.cat([t.detach().reshape(-1).to(self.device, torch.get_default_dtype()) for t in tensors])
        with _together():
            dist.all_reduce(flat)
        flat /= self.world
        parts = torch.split(flat, [t.numel() for t in tensors])
        return [p.view(t.shape).to(t) for p, t in zip(parts, tensors, strict=True)]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any of the processes; all must ask at the same place."""
        return flag if self.world == 1 else float(self.mean([torch.tensor(float(flag))])[0]) > 0

    def wait(self) -> None:
        """Until all processes have come this far."""
        if self.world > 1:
            with _together():
                dist.barrier()

    def first(self, value: _Value) -> _Value:
        """The first process's value, in all of them."""
        shared = [value]
        if self.world > 1:
            with _together():
                dist.broadcast_object_list(shared, 0)
        return shared[0]


ALONE = Group()


def distributed() -> bool:
    """Whether this process is one of several that have joined."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def join_group(device: str = "cpu") -> Group:
    """The group that torchrun started this process in; a group of one without torchrun.

    Args:
        device: "cpu" (gloo) or "cuda" (NCCL, one GPU per process).
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Group(device=device)
    if device.startswith("cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        # The second derivative of |x| imports this part of torch, which takes references to the group that it finds and
        # never gives them back: the group's threads would outlive `leave_group`. Imported first, it finds none.
        importlib.import_module("torch._dynamo")
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        atexit.register(leave_group)
    return Group(dist.get_rank(), dist.get_world_size(), device)


def leave_group() -> None:
    """End the group and its threads: a process that ends while they run is aborted now and then."""
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def _together() -> Iterator[None]:
    """What all processes must do at once.

    Raises:
        CaptchaLabError: one of them has ended, or has not answered for long.
    """
    try:
        yield
    except RuntimeError as error:
        raise CaptchaLabError(
            "Another process of this job has ended, so this one can't go on: start the command again in as many "
            "processes; a generator's training goes on from its last checkpoint with `captcha-lab train-gen --resume "
            "RUN`, a reader's with the same command and --name."
        ) from error


class _Sum(torch.autograd.Function):
    """Sum over all processes; its gradient is the same sum again, so it can be differentiated any number of times."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.detach().clone(memory_format=torch.contiguous_format)
        with _together():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return sum_over_processes(gradients[0])


def sum_over_processes(values: Tensor) -> Tensor:
    """Element-wise sum over the group's processes, differentiable any number of times."""
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total
