"""Random parameters of the transformations of a batch. N images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from anonderm.gan.batch_split import BatchShare


@dataclass(frozen=True)
class Draw:
    """Random values for the images of a share, the same as they would get in the whole batch.

    A transformation is applied to each image with probability `p`.
    """

    share: BatchShare
    p: float
    random: torch.Generator

    def uniform(self, *shape: int) -> Tensor:
        """[N, *shape] in 0..1."""
        size = (self.share.batch, *shape)
        return self.share.of(torch.rand(size, generator=self.random, device=self.random.device))

    def normal(self, *shape: int) -> Tensor:
        """[N, *shape], standard normal."""
        size = (self.share.batch, *shape)
        return self.share.of(torch.randn(size, generator=self.random, device=self.random.device))

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
