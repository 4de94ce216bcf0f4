"""Several processes that train together, as torchrun starts them, without torchrun, which ends all when one ends."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path


def free_port() -> str:
    """A port of this machine that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def environments(world: int = 2) -> list[dict[str, str]]:
    """What torchrun adds to the environment of each of `world` processes."""
    shared = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": str(world), "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(world)]


def started(command: list[str], folder: Path, world: int = 2) -> list[subprocess.Popen[str]]:
    """The processes of one command, with their outputs as pipes."""
    return [
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **added},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for added in environments(world)
    ]
