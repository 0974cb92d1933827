"""StyleGAN2's generator: mapping network, and synthesis network with skip connections.

Source: Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN".

N images, C channels (I in, O out), H x W pixels, L style layers, Z / D size of z / w, K classes,
E noise values an image.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anonderm.models.stylegan2 import ops
from anonderm.models.stylegan2.architecture import SMALLEST, Architecture
from anonderm.models.stylegan2.layers import RELU_GAIN, Clamped, Linear, Mapping, empty, initialise, set_clamp
from anonderm.models.stylegan2.ops import activate

_W_AVERAGE_DECAY = 0.998

Noise = Sequence[Tensor]


def new_generator(arch: Architecture, random: torch.Generator) -> Generator:
    """A freshly initialised generator on the CPU."""
    return initialise(Generator(arch), random)


def to_pixels(images_N3HW: Tensor) -> NDArray[np.uint8]:
    """Images in -1..1 as uint8 [N, H, W, 3]."""
    return (images_N3HW * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


class StyledConvolution(Clamped):
    """Modulated 3 x 3 convolution, noise, bias, leaky ReLU."""

    noise: Tensor

    def __init__(self, channels_in: int, channels_out: int, size: int, size_w: int, *, up: bool = False):
        super().__init__()
        self.size, self._up = size, up
        self._scale = 1 / math.sqrt(channels_in * 9)
        self.style = Linear(size_w, channels_in, bias=1.0)
        self.weight = empty(channels_in, channels_out, 3, 3) if up else empty(channels_out, channels_in, 3, 3)
        self.bias, self.noise_strength = empty(channels_out), nn.Parameter(torch.empty(()))
        self.register_buffer("noise", torch.empty(1, 1, size, size))

    def forward(self, x_NIHW: Tensor, w_ND: Tensor, noise_N1HW: Tensor | None) -> Tensor:
        dtype = x_NIHW.dtype
        style_NI = self.style(w_ND) * self._scale
        power = self.weight.square().sum(dim=(2, 3))
        scale_NO = ops.demodulation(power.T if self._up else power, style_NI) * RELU_GAIN
        convolve = ops.convolve_up if self._up else ops.convolve
        y_NOHW = convolve(x_NIHW * ops.per_map(style_NI).to(dtype), self.weight.to(dtype))
        if noise_N1HW is not None:
            noise_N1HW = noise_N1HW * (self.noise_strength * RELU_GAIN)
        return self.clamped(activate(y_NOHW, self.bias * RELU_GAIN, scale_NO, noise_N1HW))


class ToRGB(Clamped):
    """Modulated 1 x 1 convolution to three colours, without demodulation."""

    def __init__(self, channels: int, size_w: int):
        super().__init__()
        self._scale = 1 / math.sqrt(channels)
        self.style = Linear(size_w, channels, bias=1.0)
        self.weight, self.bias = empty(3, channels, 1, 1), empty(3)

    def forward(self, x_NCHW: Tensor, w_ND: Tensor) -> Tensor:
        dtype = x_NCHW.dtype
        style_NC = self.style(w_ND) * self._scale
        rgb_N3HW = ops.convolve(x_NCHW * ops.per_map(style_NC).to(dtype), self.weight.to(dtype))
        return self.clamped(rgb_N3HW.to(w_ND.dtype) + ops.per_map(self.bias))


class FirstBlock(nn.Module):
    """The smallest resolution: a learned constant and one convolution."""

    def __init__(self, channels: int, size_w: int):
        super().__init__()
        self.constant = empty(1, channels, SMALLEST, SMALLEST)
        self.convolution = StyledConvolution(channels, channels, SMALLEST, size_w)
        self.to_rgb = ToRGB(channels, size_w)

    def forward(self, w_ND: Tensor, noise_N1HW: Tensor | None) -> Tensor:
        return self.convolution(self.constant.expand(w_ND.shape[0], -1, -1, -1), w_ND, noise_N1HW)


class Block(nn.Module):
    """All layers of one further resolution."""

    def __init__(self, channels_in: int, channels_out: int, size: int, size_w: int):
        super().__init__()
        self.grow = StyledConvolution(channels_in, channels_out, size, size_w, up=True)
        self.convolution = StyledConvolution(channels_out, channels_out, size, size_w)
        self.to_rgb = ToRGB(channels_out, size_w)


class Generator(nn.Module):
    """z -> w (mapping) -> image (synthesis); images lie in -1..1."""

    w_average: Tensor
    compute: torch.dtype | None = None
    """Type of feature maps and convolutions above the smallest size; None: that of the weights. Styles,
    demodulation and the sum of the colours always have the type of the weights."""

    def __init__(self, arch: Architecture):
        super().__init__()
        self.arch = arch
        self.mapping = Mapping(arch.z_dim, arch.w_dim, len(arch.classes), arch.mapping_layers)
        self.first = FirstBlock(arch.channels(SMALLEST), arch.w_dim)
        pairs = itertools.pairwise(arch.sizes)
        blocks = (Block(arch.channels(a), arch.channels(b), b, arch.w_dim) for a, b in pairs)
        self.blocks = cast("list[Block]", nn.ModuleList(blocks))
        self.register_buffer("w_average", torch.zeros(arch.w_dim))
        set_clamp(self, arch.clamp)

    @property
    def style_layers(self) -> int:
        """L: one for each convolution and one for the last to-RGB layer."""
        return 2 * len(self.blocks) + 2

    def layers(self) -> list[StyledConvolution]:
        """The convolutions that take noise, in order."""
        pairs = ((block.grow, block.convolution) for block in self.blocks)
        return [self.first.convolution, *itertools.chain(*pairs)]

    def constant_noise(self) -> list[Tensor]:
        """The noise maps stored with the weights, with which a w always gives the same image."""
        return [layer.noise for layer in self.layers()]

    def random_noise(self, count: int, random: torch.Generator) -> list[Tensor]:
        """Fresh noise maps for `count` images."""
        shapes = [(count, 1, layer.size, layer.size) for layer in self.layers()]
        return [torch.randn(shape, generator=random, device=random.device) for shape in shapes]

    def truncate(self, w_ND: Tensor, psi: Sequence[float]) -> Tensor:
        """w [N, L, D] for each style layer, moved towards the average w by 1 - psi of the layer.

        Source: Karras et al. 2019 (StyleGAN), appendix B.
        """
        w_NLD = w_ND[:, None].expand(-1, self.style_layers, -1)
        psi_L1 = torch.tensor(psi, dtype=w_ND.dtype, device=w_ND.device)[:, None]
        return torch.lerp(self.w_average.expand_as(w_NLD), w_NLD, psi_L1.expand_as(w_NLD))

    @property
    def noise_pixels(self) -> int:
        """The number of pixels in the noise maps of one image."""
        return sum(layer.size**2 for layer in self.layers())

    def noise_maps(self, values_NE: Tensor) -> list[Tensor]:
        """Noise maps from `noise_pixels` values per image."""
        sizes = [layer.size for layer in self.layers()]
        parts = values_NE.split([size**2 for size in sizes], dim=1)
        return [part.unflatten(1, (1, size, size)) for part, size in zip(parts, sizes, strict=True)]

    @torch.no_grad()
    def track_average(self, w_mean_D: Tensor) -> None:
        """Move the average w towards the mean of a batch."""
        self.w_average.lerp_(w_mean_D, 1 - _W_AVERAGE_DECAY)

    def synthesise(self, w_NLD: Tensor, noise: Noise | None) -> Tensor:
        """Images [N, 3, H, W] from a w for each style layer; no noise is added if `noise` is None."""
        styles = iter(w_NLD.unbind(dim=1))
        maps = iter(noise if noise is not None else [None] * len(self.layers()))
        x, style_ND = self.first(next(styles), next(maps)), next(styles)
        rgb_N3HW = self.first.to_rgb(x, style_ND)
        for block in self.blocks:
            # A to-RGB layer shares its w with the convolution that follows it.
            x = block.grow(x.to(self.compute or x.dtype), style_ND, next(maps))
            x = block.convolution(x, next(styles), next(maps))
            style_ND = next(styles)
            rgb_N3HW = ops.upsample(rgb_N3HW) + block.to_rgb(x, style_ND)
        return rgb_N3HW

    def forward(self, z_NZ: Tensor, label_NK: Tensor | None, noise: Noise | None) -> Tensor:
        w_ND = self.mapping(z_NZ, label_NK)
        return self.synthesise(w_ND[:, None].expand(-1, self.style_layers, -1), noise)
