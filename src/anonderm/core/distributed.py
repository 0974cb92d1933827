"""The processes of one run: one alone, or several that torchrun started, on one machine or many."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from anonderm.core import launch
from anonderm.core.errors import ConfigError, ProcessLost

if TYPE_CHECKING:
    from torch import Tensor

# The longest that one process works while the others wait: the leader, at a tick with many metric faces.
_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class World:
    """This process's place among `size`; the leader, rank 0, is the only one that writes the run folder.

    Every method must be called by all processes, in the same order. They raise ProcessLost when another one
    is gone.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def all_reduce(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes: one message for all of them, of one dtype."""
        import torch
        import torch.distributed as dist

        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._contact():
            dist.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by the leader's."""
        import torch.distributed as dist

        if self.size == 1:
            return
        for tensor in tensors:
            sent = tensor.to(launch.device()).contiguous()
            with self._contact():
                dist.broadcast(sent, 0)
            if not self.is_main:
                tensor.copy_(sent)

    def broadcast_object(self, value: Any) -> Any:
        """The leader's `value`, which JSON must be able to hold; what the others give is ignored."""
        if self.size == 1:
            return value
        import torch

        message = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        length = torch.tensor([len(message)])
        self.broadcast([length])
        if not self.is_main:
            message = torch.empty(int(length), dtype=torch.uint8)
        self.broadcast([message])
        return json.loads(message.numpy().tobytes())

    def any(self, here: bool) -> bool:
        """Whether it is so in any process."""
        if self.size == 1:
            return here
        import torch

        count = torch.tensor([float(here)], device=launch.device())
        self.all_reduce([count])
        return bool(count)

    def barrier(self) -> None:
        """Return when every process has come here."""
        self.any(False)

    @contextmanager
    def _contact(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise ProcessLost(
                f"process {self.rank} of {self.size} lost contact with the others "
                f"({str(error).splitlines()[0]}).",
                "The first error above says why. Run the same command again: it goes on where it stopped.",
            ) from error


SINGLE = World()


@contextmanager
def join() -> Iterator[World]:
    """The processes that torchrun started this process in, by NCCL on CUDA, Gloo elsewhere; or SINGLE."""
    if launch.processes() == 1:
        yield SINGLE
        return
    import torch
    import torch.distributed as dist

    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise ConfigError(
            f"WORLD_SIZE is {launch.processes()}, but {missing[0]} is not set.",
            "Start several processes with torchrun; docs/several-gpus.md shows how.",
        )
    on = launch.device()
    if on.startswith("cuda"):
        torch.cuda.set_device(on)
    world = World(int(os.environ["RANK"]), launch.processes())
    with world._contact():
        dist.init_process_group("nccl" if on.startswith("cuda") else "gloo", timeout=_PATIENCE)
    yield world
    dist.destroy_process_group()  # not after an error, when it would wait for messages that never come
