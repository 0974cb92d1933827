"""DFDNet's network (Li et al. 2020, figure 2): VGG-19 features, dictionary transfer, conditioned decoder."""

# N faces, C channels, H x W pixels; feature maps are listed finest first, 1/2 to 1/16 of the picture's size

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anonderm.core.imagenet import normalised
from anonderm.models.restorers.dfdnet.components import COMPONENTS, Box
from anonderm.models.restorers.dfdnet.dictionary import STRIDES, match

# VGG-19 (Simonyan & Zisserman 2015, network E) up to its last convolution: channels in widths, M for pooling.
_VGG = (1, 1, "M", 2, 2, "M", *(4,) * 4, "M", *(8,) * 4, "M", *(8,) * 4)
# Layers relu2_2, relu3_4, relu4_4 and conv5_4, and their channels in widths.
_OUTPUTS = dict(zip((8, 17, 26, 34), (2, 4, 8, 8), strict=True))
_DILATIONS = (4, 3, 2, 1)
_SLOPE = 0.2

Boxes = Sequence[Mapping[str, Box]]  # of the components of each face, by name
Dictionaries = Mapping[str, Sequence[Tensor]]  # of each component, finest first


def _convolution(inward: int, outward: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inward, outward, 3, padding=dilation, dilation=dilation)


def _leaky(x_NCHW: Tensor) -> Tensor:
    return F.leaky_relu(x_NCHW, _SLOPE)


def _two_convolutions(inward: int, outward: int, dilation: int = 1) -> nn.Sequential:
    """The building block of everything after VGG."""
    first, second = _convolution(inward, outward, dilation), _convolution(outward, outward, dilation)
    return nn.Sequential(first, nn.LeakyReLU(_SLOPE), second)


class Features(nn.Module):
    """VGG-19 without its head: relu2_2, relu3_4, relu4_4 and conv5_4."""

    def __init__(self, width: int) -> None:
        from torchvision.models.vgg import make_layers

        super().__init__()
        self.layers = make_layers([each * width if isinstance(each, int) else each for each in _VGG])
        self.channels = tuple(factor * width for factor in _OUTPUTS.values())

    def forward(self, images_NCHW: Tensor) -> list[Tensor]:
        """Feature maps of pictures in -1..1."""
        x = normalised((images_NCHW + 1) / 2)
        maps = []
        for index, layer in enumerate(self.layers[: max(_OUTPUTS) + 1]):
            x = layer(x)
            if index in _OUTPUTS:
                maps.append(x)
        return maps


class Context(nn.Module):
    """The context of each position of the coarsest map, from four dilated branches."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_two_convolutions(channels, channels, each) for each in _DILATIONS)
        self.join = _convolution(channels * len(_DILATIONS), channels)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW + self.join(torch.cat([branch(x_NCHW) for branch in self.branches], dim=1))


class Stage(nn.Module):
    """A stage of the decoder: convolve, scale and shift by the transferred features (SFT), upsample by 2."""

    blur: Tensor

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.convolve = _convolution(inward, outward)
        self.scale = _two_convolutions(inward, outward)
        self.shift = _two_convolutions(inward, outward)
        self.enlarge = _convolution(outward, outward)
        kernel_3 = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("blur", (kernel_3[:, None] * kernel_3)[None, None], persistent=False)

    def forward(self, x_NCHW: Tensor, transferred_NCHW: Tensor) -> Tensor:
        channels = x_NCHW.shape[1]
        x = F.conv2d(x_NCHW, self.blur.expand(channels, 1, 3, 3), padding=1, groups=channels)
        x = _leaky(_leaky(self.convolve(x)))  # the weights were trained with two activations in a row
        x = x * self.scale(transferred_NCHW) + torch.sigmoid(self.shift(transferred_NCHW))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return _leaky(self.enlarge(x))


class Head(nn.Module):
    """Features at full resolution -> colours in -1..1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolve = _convolution(channels, channels)
        self.residuals = nn.ModuleList(_two_convolutions(channels, channels) for _ in range(2))
        self.to_rgb = _convolution(channels, 3)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x = _leaky(self.convolve(x_NCHW))
        for residual in self.residuals:
            x = x + residual(x)
        return torch.tanh(self.to_rgb(x))


class DFDNet(nn.Module):
    """The whole network; the published one has `width` 64, an eighth of its widest maps."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.features = Features(width)
        channels = self.features.channels
        self.confidence = nn.ModuleDict(
            {name: nn.ModuleList(_two_convolutions(each, each) for each in channels) for name in COMPONENTS}
        )
        self.context = Context(channels[-1])
        ends = (*reversed(channels), width)
        self.stages = nn.ModuleList(
            Stage(inward, outward) for inward, outward in zip(ends, (ends[0], *ends[2:]), strict=False)
        )
        self.head = Head(width)

    def forward(self, images_NCHW: Tensor, boxes_N: Boxes, dictionaries: Dictionaries) -> Tensor:
        """Restored faces in -1..1, from faces in -1..1 and the boxes of their components in pixels."""
        maps = self.features(images_NCHW)
        x = self.context(maps[-1])
        transferred = [
            self._transferred(scale, each, boxes_N, dictionaries) for scale, each in enumerate(maps)
        ]
        for stage, transferred_NCHW in zip(self.stages, reversed(transferred), strict=True):
            x = stage(x, transferred_NCHW)
        return self.head(x)

    def _transferred(
        self, scale: int, map_NCHW: Tensor, boxes_N: Boxes, dictionaries: Dictionaries
    ) -> Tensor:
        """The features; to each component, its match in the dictionary is added, weighted by confidence."""
        transferred = map_NCHW.clone()
        for index, boxes in enumerate(boxes_N):
            for name in COMPONENTS:
                rows, columns = _part(boxes[name], STRIDES[scale])
                component = map_NCHW[index : index + 1, :, rows, columns]
                entry = match(dictionaries[name][scale], component)
                confidence = self.confidence[name][scale](entry - component)  # type: ignore[index]
                transferred[index : index + 1, :, rows, columns] = component + confidence * entry
        return transferred


def _part(box: Box, stride: int) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (edge // stride for edge in box)
    return slice(y0, y1), slice(x0, x1)
