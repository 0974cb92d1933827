"""The classifier network: a timm backbone, pooled features, one linear layer.

Shapes: N faces, C channels, H x W pixels, D features, K classes.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from anonderm.core.errors import ConfigError, MissingWeights


class Classifier(nn.Module):
    """Maps faces in 0..1 to logits; carries the normalisation of its training set as buffers.

    `skip_halvings` strided layers of the backbone, pooling before convolution, keep the resolution: at 64 px
    a ResNet's stem would shrink a papule to one pixel. He et al. 2016, section 4.2, do so at 32 px.
    Raises ConfigError for an unknown or unsuitable backbone.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: str,
        classes: tuple[str, ...],
        size: int,
        skip_halvings: int = 0,
        weights: Path | None = None,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.size = size
        self.skip_halvings = skip_halvings
        self.backbone = _create_backbone(backbone, weights)
        _keep_resolution(self.backbone, skip_halvings)
        self.head = nn.Linear(_feature_count(self.backbone, backbone, size), len(classes))
        self.register_buffer("mean", torch.full((3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((3, 1, 1), 0.25))

    def normalise(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Set mean and standard deviation of each channel, of pixels in 0..1."""
        self.mean.copy_(torch.tensor(mean).view(3, 1, 1))
        self.std.copy_(torch.tensor(std).view(3, 1, 1))

    def normalise_like(self, pixels_NCHW: Tensor) -> None:
        """Set the normalisation to that of these pixels, in 0..1."""
        std_C, mean_C = torch.std_mean(pixels_NCHW.double(), dim=(0, 2, 3))
        self.normalise(tuple(mean_C.tolist()), tuple(std_C.clamp(min=1e-3).tolist()))

    def features(self, pixels_NCHW: Tensor) -> Tensor:
        """Pooled features [N, D] of pixels in 0..1."""
        return self.backbone((pixels_NCHW - self.mean) / self.std)

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        """Logits [N, K] of pixels in 0..1."""
        return self.head(self.features(pixels_NCHW))


def cached_weights(backbone: str) -> Path:
    """The published weights of a timm backbone in the local Hugging Face cache (safetensors only).

    Raises ConfigError for an unknown backbone, MissingWeights when the file is not there.
    """
    from huggingface_hub import constants, try_to_load_from_cache
    from timm.models import get_pretrained_cfg

    _check_known(backbone)
    published = get_pretrained_cfg(backbone)
    repository = published.hf_hub_id if published else None
    if repository is None:
        raise MissingWeights(f"{backbone}: no published weights are known.", "Leave pretrained off.")
    found = try_to_load_from_cache(repository, "model.safetensors", cache_dir=constants.HF_HUB_CACHE)
    if not isinstance(found, str):
        raise MissingWeights(
            f"{backbone}: its weights ({repository}) are not in {constants.HF_HUB_CACHE}.",
            f"Where a network allows: `hf download {repository} model.safetensors`; or leave pretrained off.",
        )
    return Path(found)


def published_normalisation(backbone: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation that the backbone's published weights expect."""
    from timm.models import get_pretrained_cfg

    published = get_pretrained_cfg(backbone)
    assert published is not None  # cached_weights has found its file
    return tuple(published.mean), tuple(published.std)


def _create_backbone(name: str, weights: Path | None) -> nn.Module:
    import timm

    _check_known(name)
    overlay = {"file": str(weights)} if weights else None
    return timm.create_model(
        name, pretrained=weights is not None, pretrained_cfg_overlay=overlay, num_classes=0
    )


def _check_known(name: str) -> None:
    import timm

    if not timm.is_model(name):
        import difflib

        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else "Give a network's timm name, such as resnet18."
        raise ConfigError(f"backbone = {name!r}: timm has no such network.", hint)


def _keep_resolution(backbone: nn.Module, halvings: int) -> None:
    """Give strided layers stride 1, pooling first since that costs less; the weights stay valid."""
    pools = [layer for layer in backbone.modules() if isinstance(layer, nn.MaxPool2d) and layer.stride == 2]
    convolutions = [
        layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2)
    ]
    for pool in pools[:halvings]:
        pool.stride = 1
    for convolution in convolutions[: max(0, halvings - len(pools))]:
        convolution.stride = (1, 1)


def _feature_count(backbone: nn.Module, name: str, size: int) -> int:
    """Width of the pooled features, from one blank image: also shows that the backbone takes this size."""
    training = backbone.training
    backbone.eval()
    try:
        with torch.inference_mode():
            features_ND = backbone(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"backbone = {name!r} cannot take {size} px images with these settings ({error}).",
            "Choose another size, a smaller skip_halvings, or a ResNet, DenseNet or EfficientNet.",
        ) from error
    backbone.train(training)
    return features_ND.shape[1]
