"""What a process runs on, and where its randomness comes from."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anonderm.core.errors import ConfigError

if TYPE_CHECKING:
    import torch


def device() -> str:
    """`cuda` where there is one, else `cpu`; under torchrun each process has a GPU of its own.

    The variable ANONDERM_DEVICE overrides.
    """
    import torch

    chosen = os.environ.get("ANONDERM_DEVICE")
    if chosen:
        return chosen
    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if processes() > 1 else "cuda"


def processes() -> int:
    """How many processes torchrun started for this run; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def refuse_several_processes(stage: str) -> None:
    """Raise ConfigError under torchrun with two processes or more: they would race on one run folder."""
    if processes() > 1:
        raise ConfigError(
            f"started as {processes()} processes (WORLD_SIZE); {stage} runs in one, on one device.",
            "Start it without torchrun; ANONDERM_DEVICE=cuda:1 chooses a device.",
        )


def step_generator(seed: int, step: int, on: str = "cpu") -> torch.Generator:
    """The generator of all randomness of one training step: a resumed run draws what the first would have."""
    import numpy as np
    import torch

    state = np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0]
    return torch.Generator(on).manual_seed(int(state >> np.uint64(1)))


def machine() -> dict[str, Any]:
    """What a reader of a result must know of the machine; nothing that names it or its owner."""
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
