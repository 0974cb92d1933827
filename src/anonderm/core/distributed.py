"""The processes of one run: a single one, or several started by torchrun on one or more machines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from anonderm.core import launch
from anonderm.core.errors import ConfigError, ProcessLost

if TYPE_CHECKING:
    from torch import Tensor

# The longest that ranks wait for one that is still working: rank 0, when it evaluates many faces.
_TIMEOUT = timedelta(hours=1)


@dataclass(frozen=True)
class World:
    """The rank of this process among `size`. Only rank 0 writes to the run folder.

    All processes must call the same methods in the same order. Raises ProcessLost when a process has died.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def all_reduce(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes. All have one dtype and travel in one message."""
        import torch
        import torch.distributed as dist

        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._process_lost():
            dist.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by that of rank 0."""
        import torch.distributed as dist

        if self.size == 1:
            return
        for tensor in tensors:
            sent = tensor.to(launch.device()).contiguous()
            with self._process_lost():
                dist.broadcast(sent, 0)
            if not self.is_main:
                tensor.copy_(sent)

    def broadcast_named(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The tensors of rank 0, whose names, shapes and dtypes the other ranks need not know."""
        if self.size == 1:
            return tensors
        sent: dict[str, Tensor] = self.broadcast_object({name: each.cpu() for name, each in tensors.items()})
        return sent

    def broadcast_object(self, value: Any) -> Any:
        """The value of rank 0, which must be picklable; the values of the other ranks are ignored."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        sent = [value]
        with self._process_lost():
            dist.broadcast_object_list(sent, 0)
        return sent[0]

    def any(self, here: bool) -> bool:
        """Whether `here` is true in at least one process."""
        if self.size == 1:
            return here
        import torch

        count = torch.tensor([float(here)], device=launch.device())
        self.all_reduce([count])
        return bool(count)

    def barrier(self) -> None:
        """Wait until every process has reached this call."""
        self.any(False)

    @contextmanager
    def _process_lost(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise ProcessLost(
                f"process {self.rank} of {self.size} lost contact with the others "
                f"({str(error).splitlines()[0]}).",
                "The first error above is the cause. Run the same command again to resume.",
            ) from error


SINGLE = World()


@contextmanager
def join() -> Iterator[World]:
    """Join the processes that torchrun started (NCCL on CUDA, otherwise Gloo); SINGLE without torchrun."""
    if launch.processes() == 1:
        yield SINGLE
        return
    import torch
    import torch.distributed as dist

    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise ConfigError(
            f"WORLD_SIZE is {launch.processes()}, but {missing[0]} is not set.",
            "Start several processes with torchrun; see docs/several-gpus.md.",
        )
    device = launch.device()
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    world = World(int(os.environ["RANK"]), launch.processes())
    with world._process_lost():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=_TIMEOUT)
    yield world
    dist.destroy_process_group()  # not after an error, when it would wait for messages that will not come
