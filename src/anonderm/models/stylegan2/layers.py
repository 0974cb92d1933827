"""Layers that generator and discriminator share, and their initialisation.

Sources: Karras et al. 2018 (progressive growing), sec. 4.1 (equalised learning rate); Karras et al. 2020,
"Training generative adversarial networks with limited data" (class conditioning).

N images, I / O features in and out, Z / D size of z / w, K classes.

The leaky ReLU's gain of sqrt(2) is folded into its argument, which gives the same result for a positive gain.
"""

import itertools
import math
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anonderm.models.stylegan2.ops import SLOPE

RELU_GAIN = math.sqrt(2)
MAPPING_RATE = 0.01

_Network = TypeVar("_Network", bound=nn.Module)


@torch.no_grad()
def initialise(network: _Network, random: torch.Generator) -> _Network:
    """Draw all parameters, which are uninitialised memory until then; return the network."""
    for layer in network.modules():
        if isinstance(layer, Linear):
            layer.reset(random)
            continue
        for name, value in (*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)):
            if name in ("weight", "constant", "noise"):
                value.normal_(generator=random)
            else:
                value.zero_()
    return network


def empty(*shape: int) -> nn.Parameter:
    """An uninitialised parameter; convolution weights are laid out in channels_last."""
    if len(shape) == 4:
        return nn.Parameter(torch.empty(shape, memory_format=torch.channels_last))
    return nn.Parameter(torch.empty(shape))


class Clamped(nn.Module):
    """A layer whose output is limited to plus and minus `clamp`, where that is set."""

    clamp: float | None = None

    def clamped(self, x: Tensor, gain: float = 1.0) -> Tensor:
        return x if self.clamp is None else x.clamp(-self.clamp * gain, self.clamp * gain)


def set_clamp(network: nn.Module, limit: float | None) -> None:
    for layer in network.modules():
        if isinstance(layer, Clamped):
            layer.clamp = limit


def _normalise(x_ND: Tensor) -> Tensor:
    return x_ND * torch.rsqrt(x_ND.square().mean(dim=1, keepdim=True) + 1e-8)


class Linear(nn.Module):
    """Fully connected layer with an equalised learning rate, which `rate` multiplies."""

    def __init__(
        self, size_in: int, size_out: int, *, bias: float = 0.0, rate: float = 1.0, relu: bool = False
    ):
        super().__init__()
        self.weight, self.bias = empty(size_out, size_in), empty(size_out)
        self._first_bias, self._rate, self._relu = bias, rate, relu
        self._gain = (RELU_GAIN if relu else 1.0) * rate

    def reset(self, random: torch.Generator) -> None:
        self.weight.normal_(std=1 / self._rate, generator=random)
        self.bias.fill_(self._first_bias / self._rate)

    def forward(self, x_NI: Tensor) -> Tensor:
        scale = self._gain / math.sqrt(x_NI.shape[1])
        y_NO = torch.addmm(self.bias, x_NI, self.weight.T, beta=self._gain, alpha=scale)
        return F.leaky_relu(y_NO, SLOPE) if self._relu else y_NO


class Mapping(nn.Module):
    """Map latent z, class label, or both to w. Without classes, the label is ignored."""

    def __init__(self, size_z: int, size_w: int, classes: int, layers: int):
        super().__init__()
        self.embed = Linear(classes, size_w) if classes else None
        first = size_z + (size_w if classes else 0)
        sizes = [first] + [size_w] * layers
        pairs = itertools.pairwise(sizes)
        self.layers = nn.Sequential(*(Linear(a, b, rate=MAPPING_RATE, relu=True) for a, b in pairs))

    def forward(self, z_NZ: Tensor | None, label_NK: Tensor | None = None) -> Tensor:
        parts = [] if z_NZ is None else [_normalise(z_NZ)]
        if self.embed is not None:
            parts.append(_normalise(self.embed(label_NK)))
        return self.layers(torch.cat(parts, dim=1))

    def embeddings(self) -> Tensor:
        """The normalised embedding of every class, [K, D]; only with classes."""
        embed = cast("Linear", self.embed)
        return _normalise(embed(torch.eye(embed.weight.shape[1], device=embed.weight.device)))
