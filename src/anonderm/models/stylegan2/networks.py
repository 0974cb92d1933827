"""StyleGAN2's generator (skip) and discriminator (residual), and class conditioning.

Sources: Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN" (layers, demodulation,
skip and residual designs) and "Training generative adversarial networks with limited data" (conditioning).

N images, C channels (I in, O out), H x W pixels, L style layers, Z / D size of z / w, K classes.

The leaky ReLU's gain of sqrt(2) is folded into what it is applied to, which is the same for a positive gain.
Parameters start empty: `new_generator` and `new_discriminator` draw them from a given torch.Generator.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from anonderm.models.stylegan2 import ops
from anonderm.models.stylegan2.activation import SLOPE, activate
from anonderm.models.stylegan2.architecture import SMALLEST, Architecture

_RELU_GAIN = math.sqrt(2)
_HALF = math.sqrt(0.5)
_MAPPING_RATE = 0.01
_W_AVERAGE_DECAY = 0.998

Noise = Sequence[Tensor]
_Network = TypeVar("_Network", bound=nn.Module)


def new_generator(arch: Architecture, random: torch.Generator) -> Generator:
    """A freshly initialised generator on the CPU."""
    return _initialised(Generator(arch), random)


def new_discriminator(arch: Architecture, random: torch.Generator) -> Discriminator:
    """A freshly initialised discriminator on the CPU."""
    return _initialised(Discriminator(arch), random)


def _initialised(network: _Network, random: torch.Generator) -> _Network:
    for layer in network.modules():
        reset = getattr(layer, "reset", None)
        if reset is not None:
            reset(random)
    return network


def _normalise(x_ND: Tensor) -> Tensor:
    return x_ND * torch.rsqrt(x_ND.square().mean(dim=1, keepdim=True) + 1e-8)


def _clamped(x: Tensor, limit: float | None) -> Tensor:
    return x if limit is None else x.clamp(-limit, limit)


def _set_clamp(network: nn.Module, limit: float | None) -> None:
    for layer in network.modules():
        if isinstance(layer, StyledConvolution | ToRGB | Convolution):
            layer.clamp = limit


def _empty(*shape: int) -> nn.Parameter:
    if len(shape) == 4:
        return nn.Parameter(torch.empty(shape, memory_format=torch.channels_last))
    return nn.Parameter(torch.empty(shape))


class Linear(nn.Module):
    """Fully connected layer with an equalised learning rate; `rate` multiplies it."""

    def __init__(
        self, size_in: int, size_out: int, *, bias: float = 0.0, rate: float = 1.0, relu: bool = False
    ):
        super().__init__()
        self.weight, self.bias = _empty(size_out, size_in), _empty(size_out)
        self._first_bias, self._rate, self._relu = bias, rate, relu
        self._gain = (_RELU_GAIN if relu else 1.0) * rate

    @torch.no_grad()
    def reset(self, random: torch.Generator) -> None:
        self.weight.normal_(std=1 / self._rate, generator=random)
        self.bias.fill_(self._first_bias / self._rate)

    def forward(self, x_NI: Tensor) -> Tensor:
        scale = self._gain / math.sqrt(x_NI.shape[1])
        y_NO = torch.addmm(self.bias, x_NI, self.weight.T, beta=self._gain, alpha=scale)
        return F.leaky_relu(y_NO, SLOPE) if self._relu else y_NO


class Mapping(nn.Module):
    """Latent z, class label, or both, to a latent w. Without classes the label is ignored."""

    def __init__(self, size_z: int, size_w: int, classes: int, layers: int):
        super().__init__()
        self.embed = Linear(classes, size_w) if classes else None
        first = size_z + (size_w if classes else 0)
        sizes = [first] + [size_w] * layers
        pairs = itertools.pairwise(sizes)
        self.layers = nn.Sequential(*(Linear(a, b, rate=_MAPPING_RATE, relu=True) for a, b in pairs))

    def forward(self, z_NZ: Tensor | None, label_NK: Tensor | None) -> Tensor:
        parts = [] if z_NZ is None else [_normalise(z_NZ)]
        if self.embed is not None:
            parts.append(_normalise(self.embed(label_NK)))
        return self.layers(torch.cat(parts, dim=1))

    def embeddings(self) -> Tensor:
        """Every class as the first layer sees it, [K, D]; only with classes."""
        embed = cast("Linear", self.embed)
        return _normalise(embed(torch.eye(embed.weight.shape[1], device=embed.weight.device)))


class StyledConvolution(nn.Module):
    """Modulated 3 x 3 convolution, noise, bias, leaky ReLU."""

    noise: Tensor
    clamp: float | None = None

    def __init__(self, channels_in: int, channels_out: int, size: int, size_w: int, *, up: bool = False):
        super().__init__()
        self.size, self._up = size, up
        self._scale = 1 / math.sqrt(channels_in * 9)
        self.style = Linear(size_w, channels_in, bias=1.0)
        self.weight = (
            _empty(channels_in, channels_out, 3, 3) if up else _empty(channels_out, channels_in, 3, 3)
        )
        self.bias, self.noise_strength = _empty(channels_out), nn.Parameter(torch.empty(()))
        self.register_buffer("noise", torch.empty(1, 1, size, size))

    @torch.no_grad()
    def reset(self, random: torch.Generator) -> None:
        self.weight.normal_(generator=random)
        self.noise.normal_(generator=random)
        self.bias.zero_()
        self.noise_strength.zero_()

    def forward(self, x_NIHW: Tensor, w_ND: Tensor, noise_N1HW: Tensor | None) -> Tensor:
        kind = x_NIHW.dtype
        style_NI = self.style(w_ND) * self._scale
        power = self.weight.square().sum(dim=(2, 3))
        scale_NO = ops.demodulation(power.T if self._up else power, style_NI) * _RELU_GAIN
        convolve = ops.convolve_up if self._up else ops.convolve
        y_NOHW = convolve(x_NIHW * ops.per_map(style_NI).to(kind), self.weight.to(kind))
        if noise_N1HW is not None:
            noise_N1HW = noise_N1HW * (self.noise_strength * _RELU_GAIN)
        return _clamped(activate(y_NOHW, self.bias * _RELU_GAIN, scale_NO, noise_N1HW), self.clamp)


class ToRGB(nn.Module):
    """Modulated 1 x 1 convolution to three colours, without demodulation."""

    clamp: float | None = None

    def __init__(self, channels: int, size_w: int):
        super().__init__()
        self._scale = 1 / math.sqrt(channels)
        self.style = Linear(size_w, channels, bias=1.0)
        self.weight, self.bias = _empty(3, channels, 1, 1), _empty(3)

    @torch.no_grad()
    def reset(self, random: torch.Generator) -> None:
        self.weight.normal_(generator=random)
        self.bias.zero_()

    def forward(self, x_NCHW: Tensor, w_ND: Tensor) -> Tensor:
        kind = x_NCHW.dtype
        style_NC = self.style(w_ND) * self._scale
        rgb_N3HW = ops.convolve(x_NCHW * ops.per_map(style_NC).to(kind), self.weight.to(kind))
        return _clamped(rgb_N3HW.to(w_ND.dtype) + ops.per_map(self.bias), self.clamp)


class FirstBlock(nn.Module):
    """The smallest resolution: a learned constant and one convolution."""

    def __init__(self, channels: int, size_w: int):
        super().__init__()
        self.constant = _empty(1, channels, SMALLEST, SMALLEST)
        self.convolution = StyledConvolution(channels, channels, SMALLEST, size_w)
        self.to_rgb = ToRGB(channels, size_w)

    @torch.no_grad()
    def reset(self, random: torch.Generator) -> None:
        self.constant.normal_(generator=random)

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
    """The type of maps and convolutions above the smallest size; None: that of the weights. Styles,
    demodulation and the sum of the colours always have that of the weights."""

    def __init__(self, arch: Architecture):
        super().__init__()
        self.arch = arch
        self.mapping = Mapping(arch.z_dim, arch.w_dim, len(arch.classes), arch.mapping_layers)
        self.first = FirstBlock(arch.channels(SMALLEST), arch.w_dim)
        self.blocks = nn.ModuleList(
            Block(arch.channels(size // 2), arch.channels(size), size, arch.w_dim) for size in arch.sizes[1:]
        )
        self.register_buffer("w_average", torch.zeros(arch.w_dim))
        _set_clamp(self, arch.clamp)

    @property
    def style_layers(self) -> int:
        """L: each convolution has a style, and the last to-RGB one of its own."""
        return 2 * len(self.blocks) + 2

    def _blocks(self) -> list[Block]:
        return cast("list[Block]", list(self.blocks))

    def layers(self) -> list[StyledConvolution]:
        """The convolutions that take noise, in order."""
        pairs = ((block.grow, block.convolution) for block in self._blocks())
        return [self.first.convolution, *itertools.chain(*pairs)]

    def constant_noise(self) -> list[Tensor]:
        """The noise maps that belong to the weights: one image for one w."""
        return [layer.noise for layer in self.layers()]

    def random_noise(self, count: int, random: torch.Generator) -> list[Tensor]:
        """Fresh noise maps for `count` images."""
        shapes = [(count, 1, layer.size, layer.size) for layer in self.layers()]
        return [torch.randn(shape, generator=random, device=random.device) for shape in shapes]

    def map(self, z_NZ: Tensor, label_NK: Tensor | None = None) -> Tensor:
        """w [N, D]."""
        return self.mapping(z_NZ, label_NK)

    def truncate(self, w_ND: Tensor, psi: Sequence[float]) -> Tensor:
        """w [N, L, D] for each style layer, pulled towards the average w by 1 - its psi.

        Source: Karras et al. 2019 (StyleGAN), appendix B.
        """
        w_NLD = w_ND[:, None].expand(-1, self.style_layers, -1)
        psi_L1 = torch.tensor(psi, dtype=w_ND.dtype, device=w_ND.device)[:, None]
        return torch.lerp(self.w_average.expand_as(w_NLD), w_NLD, psi_L1.expand_as(w_NLD))

    @property
    def noise_pixels(self) -> int:
        """How many pixels the noise maps of one image have."""
        return sum(layer.size**2 for layer in self.layers())

    def noise_maps(self, values_NE: Tensor) -> list[Tensor]:
        """Noise maps cut out of `noise_pixels` numbers for each image."""
        sizes = [layer.size for layer in self.layers()]
        parts = values_NE.split([size**2 for size in sizes], dim=1)
        return [part.unflatten(1, (1, size, size)) for part, size in zip(parts, sizes, strict=True)]

    @torch.no_grad()
    def track_average(self, w_mean_D: Tensor) -> None:
        """Move the average w towards the mean of a batch."""
        self.w_average.lerp_(w_mean_D, 1 - _W_AVERAGE_DECAY)

    def synthesise(self, w_NLD: Tensor, noise: Noise | None) -> Tensor:
        """Images [N, 3, H, W] from a w for each style layer; without `noise` no noise is added."""
        styles = iter(w_NLD.unbind(dim=1))
        maps = iter(noise if noise is not None else [None] * len(self.layers()))
        x, style_ND = self.first(next(styles), next(maps)), next(styles)
        rgb_N3HW = self.first.to_rgb(x, style_ND)
        for block in self._blocks():
            # A to-RGB layer shares its w with the convolution that follows it.
            x = block.grow(x.to(self.compute or x.dtype), style_ND, next(maps))
            x = block.convolution(x, next(styles), next(maps))
            style_ND = next(styles)
            rgb_N3HW = ops.upsample(rgb_N3HW) + block.to_rgb(x, style_ND)
        return rgb_N3HW

    def forward(self, z_NZ: Tensor, label_NK: Tensor | None, noise: Noise | None) -> Tensor:
        w_ND = self.map(z_NZ, label_NK)
        return self.synthesise(w_ND[:, None].expand(-1, self.style_layers, -1), noise)


class Convolution(nn.Module):
    """k x k convolution with an equalised learning rate; optionally biased, halved in size, rectified."""

    clamp: float | None = None

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
        self._gain = gain * (_RELU_GAIN if relu else 1.0)
        self._scale = self._gain / math.sqrt(channels_in * side**2)
        self._convolve = ops.convolve_down if down else ops.convolve
        self._relu = relu
        self.weight = _empty(channels_out, channels_in, side, side)
        self.bias = _empty(channels_out) if relu else None

    @torch.no_grad()
    def reset(self, random: torch.Generator) -> None:
        self.weight.normal_(generator=random)
        if self.bias is not None:
            self.bias.zero_()

    def forward(self, x_NIHW: Tensor) -> Tensor:
        y_NOHW = self._convolve(x_NIHW, (self.weight * self._scale).to(x_NIHW.dtype))
        if self.bias is None:
            return y_NOHW
        limit = self.clamp and self.clamp * self._output_gain
        return _clamped(activate(y_NOHW, self.bias * self._gain), limit)


class ResidualBlock(nn.Module):
    """Two convolutions and a linear short cut, each scaled so that their sum keeps its variance."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.convolution = Convolution(channels_in, channels_in, 3)
        self.shrink = Convolution(channels_in, channels_out, 3, down=True, gain=_HALF)
        self.short_cut = Convolution(channels_in, channels_out, 1, relu=False, gain=_HALF)

    def forward(self, x_NIHW: Tensor) -> Tensor:
        return self.shrink(self.convolution(x_NIHW)) + self.short_cut(ops.downsample(x_NIHW))


def with_deviation(x_NCHW: Tensor, group: int | None) -> Tensor:
    """Append a map that holds the mean standard deviation over each group of images (None: over all).

    Image i is grouped with those at i + n / group steps; the group shrinks to the largest divisor of N.
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
    """The type of maps and convolutions above the smallest size; None: that of the weights."""

    def __init__(self, arch: Architecture):
        super().__init__()
        self.arch = arch
        channels = [arch.channels(size) for size in reversed(arch.sizes)]
        last = channels[-1]
        self.from_rgb = Convolution(3, channels[0], 1)
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in itertools.pairwise(channels))
        self.convolution = Convolution(last + 1, last, 3)
        self.dense = Linear(last * SMALLEST**2, last, relu=True)
        self.logit = Linear(last, arch.label_size if arch.classes else 1)
        layers = arch.mapping_layers if arch.label_layers is None else arch.label_layers
        self.mapping = Mapping(0, arch.label_size, len(arch.classes), layers) if arch.classes else None
        _set_clamp(self, arch.clamp)

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
        """What the image's vector is projected on for each class, [K, D]; only with classes."""
        one_hot_KK = torch.eye(len(self.arch.classes), device=self.logit.weight.device)
        return cast("Mapping", self.mapping)(None, one_hot_KK)

    def freezable(self) -> list[nn.Module]:
        """The layers that Freeze-D counts, from the image on: first the one that reads colours, then three a
        block. The last layers, at the smallest resolution, do not count."""
        blocks = cast("list[ResidualBlock]", list(self.blocks))
        threes = ((block.convolution, block.shrink, block.short_cut) for block in blocks)
        return [self.from_rgb, *itertools.chain(*threes)]


def to_pixels(images_N3HW: Tensor) -> NDArray[np.uint8]:
    """Images in -1..1 as uint8 [N, H, W, 3]."""
    return (images_N3HW * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
