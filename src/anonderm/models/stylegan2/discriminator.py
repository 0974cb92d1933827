"""StyleGAN2's discriminator: residual, with a projection on the class embedding.

Source: Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN".

N images (M groups of G), C channels (I in, O out), H x W pixels, D size of the mapped label, K classes.
"""

from __future__ import annotations

import itertools
import math
from typing import cast

import torch
from torch import Tensor, nn

from anonderm.models.stylegan2 import ops
from anonderm.models.stylegan2.architecture import SMALLEST, Architecture
from anonderm.models.stylegan2.layers import RELU_GAIN, Clamped, Linear, Mapping, empty, initialise, set_clamp
from anonderm.models.stylegan2.ops import activate

_HALF = math.sqrt(0.5)


def new_discriminator(arch: Architecture, random: torch.Generator) -> Discriminator:
    """A freshly initialised discriminator on the CPU."""
    return initialise(Discriminator(arch), random)


class Convolution(Clamped):
    """k x k convolution with an equalised learning rate, optionally with stride 2, bias and leaky ReLU."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        side: int,
        *,
        down: bool = False,
        relu: bool = True,
        gain: float = 1.0,
    ):
        super().__init__()
        self._output_gain = gain
        self._gain = gain * (RELU_GAIN if relu else 1.0)
        self._scale = self._gain / math.sqrt(channels_in * side**2)
        self._convolve = ops.convolve_down if down else ops.convolve
        self._relu = relu
        self.weight = empty(channels_out, channels_in, side, side)
        self.bias = empty(channels_out) if relu else None

    def forward(self, x_NIHW: Tensor) -> Tensor:
        y_NOHW = self._convolve(x_NIHW, (self.weight * self._scale).to(x_NIHW.dtype))
        if self.bias is None:
            return y_NOHW
        return self.clamped(activate(y_NOHW, self.bias * self._gain), self._output_gain)


class ResidualBlock(nn.Module):
    """Two convolutions and a linear short cut, scaled so that their sum keeps the variance."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.convolution = Convolution(channels_in, channels_in, 3)
        self.shrink = Convolution(channels_in, channels_out, 3, down=True, gain=_HALF)
        self.short_cut = Convolution(channels_in, channels_out, 1, relu=False, gain=_HALF)

    def forward(self, x_NIHW: Tensor) -> Tensor:
        return self.shrink(self.convolution(x_NIHW)) + self.short_cut(ops.downsample(x_NIHW))


def with_deviation(x_NCHW: Tensor, group: int | None) -> Tensor:
    """Append a map with the mean standard deviation over each group of images (None: over all).

    Image i is grouped with those at i + n / group steps; if necessary, the group shrinks to a divisor of N.
    Source: Karras et al. 2018 (progressive growing), sec. 3.
    """
    n, c, h, w = x_NCHW.shape
    group = next(size for size in range(min(group or n, n), 0, -1) if n % size == 0)
    x_GMCHW = x_NCHW.reshape(group, n // group, c, h, w)
    deviation_MCHW = (x_GMCHW.var(dim=0, correction=0) + 1e-8).sqrt()
    value_M = deviation_MCHW.mean(dim=(1, 2, 3))
    return torch.cat([x_NCHW, value_M.repeat(group)[:, None, None, None].expand(-1, 1, h, w)], dim=1)


class Discriminator(nn.Module):
    """Image -> logit of being real; with classes, projected on the label's embedding."""

    compute: torch.dtype | None = None
    """Type of feature maps and convolutions above the smallest size; None: that of the weights."""

    def __init__(self, arch: Architecture):
        super().__init__()
        self.arch = arch
        channels = [arch.channels(size) for size in reversed(arch.sizes)]
        last = channels[-1]
        self.from_rgb = Convolution(3, channels[0], 1)
        blocks = (ResidualBlock(a, b) for a, b in itertools.pairwise(channels))
        self.blocks = cast("list[ResidualBlock]", nn.ModuleList(blocks))
        self.convolution = Convolution(last + 1, last, 3)
        self.dense = Linear(last * SMALLEST**2, last, relu=True)
        self.logit = Linear(last, arch.label_size if arch.classes else 1)
        layers = arch.mapping_layers if arch.label_layers is None else arch.label_layers
        self.mapping = Mapping(0, arch.label_size, len(arch.classes), layers) if arch.classes else None
        set_clamp(self, arch.clamp)

    def forward(self, x_N3HW: Tensor, label_NK: Tensor | None = None) -> Tensor:
        x = self.from_rgb(x_N3HW.to(self.compute or x_N3HW.dtype))
        for block in self.blocks:
            x = block(x)
        x = x.to(x_N3HW.dtype)
        x = self.convolution(with_deviation(x, self.arch.deviation_group))
        y_NO = self.logit(self.dense(x.flatten(1)))
        if self.mapping is None:
            return y_NO[:, 0]
        label_ND = self.mapping(None, label_NK)
        return (y_NO * label_ND).sum(dim=1) / math.sqrt(label_ND.shape[1])

    def class_vectors(self) -> Tensor:
        """The mapped embedding of each class, [K, D]; only with classes."""
        one_hot_KK = torch.eye(len(self.arch.classes), device=self.logit.weight.device)
        return cast("Mapping", self.mapping)(None, one_hot_KK)

    def freezable(self) -> list[nn.Module]:
        """The layers that Freeze-D counts, from the image on: from_rgb, then three per block. The last
        layers, at the smallest resolution, do not count."""
        threes = ((block.convolution, block.shrink, block.short_cut) for block in self.blocks)
        return [self.from_rgb, *itertools.chain(*threes)]
