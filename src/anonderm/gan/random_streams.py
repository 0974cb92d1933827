"""The random numbers of a training step. Those of an image do not depend on how the batch is split.

Each purpose has its own stream, determined by (seed, step, purpose). Small numbers of values per image are
drawn for the whole batch, of which a share keeps its own; image-sized values have a stream for each image, so
that no process draws those of another. B images of a batch, N of a share, E values for each.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from anonderm.gan.batch_split import BatchShare


class Purpose(IntEnum):
    """What a stream is for. Changing a number changes the result of every seed."""

    REAL = 0
    STYLES = 1
    NOISE = 2
    AUGMENT_FAKE = 3
    AUGMENT_REAL = 4
    AUGMENT_R1 = 5
    PATH_STYLES = 6
    PATH_NOISE = 7
    PATH_DIRECTION = 8


@dataclass(frozen=True)
class RandomStreams:
    """The random streams of one step, on `device`."""

    seed: int
    step: int
    device: torch.device

    def stream(self, purpose: Purpose) -> torch.Generator:
        """A generator for values drawn for the whole batch, always at the start of its stream."""
        return self._generator(self._seeds(purpose, 1)[0])

    def normal(self, purpose: Purpose, share: BatchShare, count: int) -> Tensor:
        """Standard normal values [N, count], each image's from its own stream."""
        _, *seeds = self._seeds(purpose, 1 + share.batch)
        values_NE = torch.empty(len(share), count, device=self.device)
        for row_E, index in zip(values_NE, share.indices, strict=True):
            row_E.normal_(generator=self._generator(seeds[index]))
        return values_NE

    def _seeds(self, purpose: Purpose, count: int) -> list[int]:
        sequence = np.random.SeedSequence((self.seed, self.step), spawn_key=(int(purpose),))
        return (sequence.generate_state(count, np.uint64) >> np.uint64(1)).tolist()

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(seed)
