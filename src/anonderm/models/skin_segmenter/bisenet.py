"""BiSeNet, the bilateral segmentation network of Yu et al. 2018, on ResNet-18 (He et al. 2016).

Built as in the community's face parsing (github zllrunning/face-parsing.PyTorch, MIT), whose published state
dict loads strictly: parameters have the same names, and the spatial path consists of the context path's own
features at an eighth of the picture.
"""

# N pictures, C channels, H x W pixels, K classes; a number after a name is the stride: x8 has a pixel in 8

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PUBLISHED_WIDTH = 64


class BiSeNet(nn.Module):
    """Logits of K classes for each pixel of pictures normalised as for ImageNet.

    `width` is the number of channels of the first stage; 64 is the published network.
    """

    def __init__(self, classes: int, width: int = PUBLISHED_WIDTH) -> None:
        super().__init__()
        self.width = width
        self.cp = ContextPath(width)
        self.ffm = FeatureFusion(4 * width, 4 * width)
        self.conv_out = Head(4 * width, 4 * width, classes)
        self.conv_out16 = Head(2 * width, width, classes)
        self.conv_out32 = Head(2 * width, width, classes)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """[N, K, H, W], for any H and W."""
        return self.all_heads(x_NCHW)[0]

    def all_heads(self, x_NCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The logits, and those of the two auxiliary heads, which only training uses."""
        spatial8, context8, context16 = self.cp(x_NCHW)
        fused8 = self.ffm(spatial8, context8)
        heads = (self.conv_out(fused8), self.conv_out16(context8), self.conv_out32(context16))
        size = x_NCHW.shape[2:]
        main, aux8, aux16 = (F.interpolate(head, size, mode="bilinear", align_corners=True) for head in heads)
        return main, aux8, aux16

    @property
    def fast_parts(self) -> tuple[nn.Module, ...]:
        """The parts besides the backbone, which have a higher learning rate in the published recipe."""
        return (self.ffm, self.conv_out, self.conv_out16, self.conv_out32)


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Random convolutions: He et al. 2015 for the ReLUs of the backbone, gain 1 elsewhere."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            slope = 0.0 if "resnet" in name else 1.0
            nn.init.kaiming_normal_(module.weight, a=slope, generator=generator)


class ConvNormRelu(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x_NCHW)))


class Head(nn.Module):
    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.conv = ConvNormRelu(inputs, hidden)
        self.conv_out = nn.Conv2d(hidden, classes, 1, bias=False)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return self.conv_out(self.conv(x_NCHW))


class AttentionRefinement(nn.Module):
    """A convolution whose channels are reweighted by global context (sec. 3.2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = ConvNormRelu(inputs, outputs)
        self.conv_atten = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outputs)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        features = self.conv(x_NCHW)
        return features * torch.sigmoid(self.bn_atten(self.conv_atten(_global_mean(features))))


class FeatureFusion(nn.Module):
    """Spatial and context features, concatenated and reweighted (sec. 3.3)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convblk = ConvNormRelu(inputs, outputs, kernel=1)
        self.conv1 = nn.Conv2d(outputs, outputs // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs // 4, outputs, 1, bias=False)

    def forward(self, spatial_NCHW: Tensor, context_NCHW: Tensor) -> Tensor:
        features = self.convblk(torch.cat([spatial_NCHW, context_NCHW], dim=1))
        weights_NC11 = torch.sigmoid(self.conv2(F.relu(self.conv1(_global_mean(features)))))
        return features + features * weights_NC11


class ContextPath(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.resnet = ResNet18(width)
        self.arm16 = AttentionRefinement(4 * width, 2 * width)
        self.arm32 = AttentionRefinement(8 * width, 2 * width)
        self.conv_head32 = ConvNormRelu(2 * width, 2 * width)
        self.conv_head16 = ConvNormRelu(2 * width, 2 * width)
        self.conv_avg = ConvNormRelu(8 * width, 2 * width, kernel=1)

    def forward(self, x_NCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ResNet's features at stride 8, and context features at strides 8 and 16."""
        x8, x16, x32 = self.resnet(x_NCHW)
        context32 = self.arm32(x32) + self.conv_avg(_global_mean(x32))
        context16 = self.conv_head32(F.interpolate(context32, x16.shape[2:], mode="nearest"))
        sum16 = self.arm16(x16) + context16
        context8 = self.conv_head16(F.interpolate(sum16, x8.shape[2:], mode="nearest"))
        return x8, context8, context16


class ResNet18(nn.Module):
    """The features of ResNet-18 at strides 8, 16 and 32; named as in torchvision, whose weights load."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2)

    def forward(self, x_NCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x2 = F.relu(self.bn1(self.conv1(x_NCHW)))
        x8 = self.layer2(self.layer1(F.max_pool2d(x2, 3, stride=2, padding=1)))
        x16 = self.layer3(x8)
        return x8, x16, self.layer4(x16)


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    from torchvision.models.resnet import BasicBlock, conv1x1

    shortcut = None
    if stride != 1:
        shortcut = nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))
    return nn.Sequential(BasicBlock(inputs, outputs, stride, shortcut), BasicBlock(outputs, outputs))


def _global_mean(x_NCHW: Tensor) -> Tensor:
    """The mean of each channel over the picture, [N, C, 1, 1]."""
    return x_NCHW.mean(dim=(2, 3), keepdim=True)
