"""Random numbers for a batch, and which of its images a transformation touches. N images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anonderm.gan.batch_split import Share


@dataclass(frozen=True)
class Draw:
    """`count` images, each touched by each transformation with probability `p`.

    Where they are a share of a batch, they get what they would get in the whole of it.
    """

    count: int
    p: float
    random: torch.Generator
    share: Share | None = None

    def uniform(self, *shape: int) -> Tensor:
        """[N, *shape] in 0..1."""
        return self._own(torch.rand(self._drawn, *shape, generator=self.random, device=self.random.device))

    def normal(self, *shape: int) -> Tensor:
        """[N, *shape] with mean 0 and deviation 1."""
        return self._own(torch.randn(self._drawn, *shape, generator=self.random, device=self.random.device))

    @property
    def _drawn(self) -> int:
        return self.share.whole if self.share else self.count

    def _own(self, values: Tensor) -> Tensor:
        return self.share.of(values) if self.share else values

    def angle(self) -> Tensor:
        """[N] in -pi..pi."""
        return (self.uniform() * 2 - 1) * torch.pi

    def log_normal(self, octaves: float, *shape: int) -> Tensor:
        """[N, *shape] factors whose logarithm to base 2 has this deviation."""
        return torch.exp2(self.normal(*shape) * octaves)

    def chosen(self, value: Tensor, neutral: float, p: float | None = None) -> Tensor:
        """`value` [N, ...] for the images that are touched, `neutral` for the others."""
        touched = self.uniform(*[1] * (value.ndim - 1)) < (self.p if p is None else p)
        return torch.where(touched, value, neutral)
