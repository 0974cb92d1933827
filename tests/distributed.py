"""Two processes over Gloo on this machine, with the environment variables of torchrun."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def start_two(script: Path, folder: Path) -> list[subprocess.Popen[str]]:
    """Start `python script folder` as ranks 0 and 1 of one process group.

    PORTS lists ports for later process groups: on a reused port, a rank still in the old group could be met.
    """
    ports = _free_ports(5)
    return [_start(script, folder, rank, ports) for rank in range(2)]


def _free_ports(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _start(script: Path, folder: Path, rank: int, ports: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": ports[0],
        "PORTS": " ".join(ports[1:]),
        "OMP_NUM_THREADS": "1",
        "ANONDERM_DEVICE": "cpu",
        "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "src")]),
    }
    command = [sys.executable, str(script), str(folder)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
