"""Where the random numbers of a training step come from: an image gets the same, however the batch is split.

Each purpose has a stream of its own, known from (seed, step, purpose). A few numbers an image are drawn for
the whole batch, of which a share keeps its own; what is as large as an image has a stream for each image, so
that no process draws another's. B images of a batch, N of a share, E numbers for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from anonderm.gan.batch_split import Share


class Purpose(IntEnum):
    """What a stream is for; the numbers are part of what a seed means."""

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
class Draws:
    """The random numbers of one step, drawn on `device`."""

    seed: int
    step: int
    device: torch.device

    def stream(self, purpose: Purpose) -> torch.Generator:
        """A generator for what is drawn for the whole batch; always at its beginning."""
        return self._generator(self._seeds(purpose, 1)[0])

    def normal(self, purpose: Purpose, share: Share, count: int) -> Tensor:
        """Standard normal numbers [N, count], from a stream for each image."""
        _, *seeds = self._seeds(purpose, 1 + share.whole)
        values_NE = torch.empty(len(share), count, device=self.device)
        for row_E, image in zip(values_NE, share.rows, strict=True):
            row_E.normal_(generator=self._generator(seeds[image]))
        return values_NE

    def _seeds(self, purpose: Purpose, count: int) -> list[int]:
        sequence = np.random.SeedSequence((self.seed, self.step), spawn_key=(int(purpose),))
        return (sequence.generate_state(count, np.uint64) >> np.uint64(1)).tolist()

    def _generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(seed)
