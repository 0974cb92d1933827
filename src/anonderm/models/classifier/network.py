"""The classifier: a backbone, pooled features, and one linear layer whose outputs a head interprets."""

# N faces, C channels, H x W pixels, D features, M outputs, K classes

import torch
from torch import Tensor, nn

from anonderm.core.errors import ConfigError
from anonderm.models.classifier.backbones import InitialWeights, create_backbone
from anonderm.models.classifier.heads import Head, Softmax
from anonderm.models.classifier.lesion_cnn import Dropout


class Classifier(nn.Module):
    """Maps faces in 0..1 to outputs; holds the normalisation of its training set as buffers.

    head_type: what the outputs mean; by default the logits of a softmax over the classes.
    drop_strides: how many strided layers of the backbone get stride 1, pooling before convolution: at 64 px a
    ResNet's stem would shrink a papule to one pixel. He et al. 2016, section 4.2, do so at 32 px.
    Raises ConfigError for an unknown or unsuitable backbone.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: str,
        classes: tuple[str, ...],
        size: int,
        drop_strides: int = 0,
        *,
        head_type: Head | None = None,
        dropout: float = 0.0,
        start: InitialWeights | None = None,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.size = size
        self.head_type: Head = head_type or Softmax(len(classes))
        self.backbone = create_backbone(backbone, size, start)
        _drop_strides(self.backbone, drop_strides)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(_feature_count(self.backbone, backbone, size), self.head_type.outputs)
        self.register_buffer("mean", torch.full((3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((3, 1, 1), 0.25))

    def normalise(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Set mean and standard deviation of each channel, of pixels in 0..1."""
        self.mean.copy_(torch.tensor(mean).view(3, 1, 1))
        self.std.copy_(torch.tensor(std).view(3, 1, 1))

    def normalise_like(self, bytes_NCHW: Tensor) -> None:
        """Set the normalisation to that of these uint8 pixels."""
        levels = torch.arange(256, dtype=torch.float64) / 255
        channels = bytes_NCHW.transpose(0, 1)
        counts_C256 = torch.stack([torch.bincount(each.flatten(), minlength=256) for each in channels])
        shares_C256 = counts_C256.double().cpu()
        shares_C256 /= shares_C256.sum(1, keepdim=True)
        mean_C = shares_C256 @ levels
        std_C = (shares_C256 @ levels.square() - mean_C.square()).clamp(min=0).sqrt()
        self.normalise(tuple(mean_C.tolist()), tuple(std_C.clamp(min=1e-3).tolist()))

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        """Outputs [N, M], to be interpreted by `head_type`, of pixels in 0..1."""
        features_ND = self.backbone((pixels_NCHW - self.mean) / self.std)
        return self.head(self.dropout(features_ND))


def _drop_strides(backbone: nn.Module, count: int) -> None:
    """Give strided layers stride 1, pooling first since that costs less; pretrained weights stay valid."""
    pools = [layer for layer in backbone.modules() if isinstance(layer, nn.MaxPool2d) and layer.stride == 2]
    convolutions = [
        layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2)
    ]
    for pool in pools[:count]:
        pool.stride = 1
    for convolution in convolutions[: max(0, count - len(pools))]:
        convolution.stride = (1, 1)


def _feature_count(backbone: nn.Module, name: str, size: int) -> int:
    """Width of the pooled features, found with one blank image, which the backbone must accept."""
    training = backbone.training
    backbone.eval()
    try:
        with torch.inference_mode():
            features_ND = backbone(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"backbone = {name!r} does not accept {size} px images with these settings ({error}).",
            "Choose another size, a smaller drop_strides, or a ResNet, DenseNet or EfficientNet.",
        ) from error
    backbone.train(training)
    return features_ND.shape[1]
