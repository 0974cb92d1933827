"""Random parameters of the transformations of a batch. N images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anonderm.gan.batch_split import BatchShare


@dataclass(frozen=True)
class Draw:
    """Random values for `count` images, to each of which a transformation is applied with probability `p`.

    The images of a share of a batch get the values that they would get in the whole batch.
    """

    count: int
    p: float
    random: torch.Generator
    share: BatchShare | None = None

    def uniform(self, *shape: int) -> Tensor:
        """[N, *shape] in 0..1."""
        return self._own(torch.rand(self._drawn, *shape, generator=self.random, device=self.random.device))

    def normal(self, *shape: int) -> Tensor:
        """[N, *shape], standard normal."""
        return self._own(torch.randn(self._drawn, *shape, generator=self.random, device=self.random.device))

    @property
    def _drawn(self) -> int:
        return self.share.batch if self.share else self.count

    def _own(self, values: Tensor) -> Tensor:
        return self.share.of(values) if self.share else values

    def angle(self) -> Tensor:
        """[N] in -pi..pi."""
        return (self.uniform() * 2 - 1) * torch.pi

    def log_normal(self, octaves: float, *shape: int) -> Tensor:
        """[N, *shape] factors; the standard deviation of their base-2 logarithm is `octaves`."""
        return torch.exp2(self.normal(*shape) * octaves)

    def chosen(self, value: Tensor, neutral: float, p: float | None = None) -> Tensor:
        """`value` [N, ...] for each image with probability p, otherwise `neutral`."""
        applied = self.uniform(*[1] * (value.ndim - 1)) < (self.p if p is None else p)
        return torch.where(applied, value, neutral)
