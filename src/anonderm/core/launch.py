"""The device, processes, memory and machine of a run, the random generator of a step, and deferred stops."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anonderm.core.errors import ConfigError

if TYPE_CHECKING:
    import torch


def device() -> str:
    """`cuda` if available, otherwise `cpu`; under torchrun, each process gets its own GPU.

    The environment variable ANONDERM_DEVICE overrides this.
    """
    import torch

    chosen = os.environ.get("ANONDERM_DEVICE")
    if chosen:
        return chosen
    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if processes() > 1 else "cuda"


def processes() -> int:
    """The number of processes that torchrun started; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def refuse_several_processes(stage: str) -> None:
    """Raise ConfigError if torchrun started more than one process: they would race for one run folder."""
    if processes() > 1:
        raise ConfigError(
            f"started as {processes()} processes (WORLD_SIZE), but {stage} runs in a single process.",
            "Start it without torchrun. To choose a GPU, set ANONDERM_DEVICE, for instance to cuda:1.",
        )


def step_generator(seed: int, step: int, device: str = "cpu") -> torch.Generator:
    """The random generator of one step: a resumed run draws the same numbers as an uninterrupted one."""
    import numpy as np
    import torch

    state = np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


def machine() -> dict[str, Any]:
    """The hardware of a run, without anything that identifies the machine or its owner."""
    import torch

    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processes": processes(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("anonderm", "torch", "torchvision", "timm", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> None:
    """Make glibc reuse large freed blocks instead of returning them to the system.

    By default, every tensor of a few megabytes gets new memory, whose pages the kernel zeroes; in training on
    a CPU this takes a quarter of the time. Has no effect with other C libraries.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        mallopt(_M_TOP_PAD, 64 << 20)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Stop:
    """Whether the user or the system has requested that this process end."""

    requested: bool = False


@contextmanager
def deferred_stop() -> Iterator[Stop]:
    """Within, the first SIGTERM or Ctrl-C only sets `requested`; a second one raises KeyboardInterrupt.

    Outside the main thread, where Python does not allow signal handlers, nothing changes.
    """
    stop = Stop()

    def handle(_number: int, _frame: Any) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
