"""Grad-CAM heatmaps (Selvaraju et al. 2017) through the grad-cam package."""

# N faces, C channels, H x W pixels

from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anonderm.core.errors import ConfigError
from anonderm.core.images import Pixels, resize
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import to_input

_MIN_MAP_SIDE = 8


def heat(
    classifier: Classifier, image_HWC: Pixels, target: int | Literal["severity"] | None = None
) -> NDArray[np.float32]:
    """The heatmap of one class or lesion type (by default the most probable) on a uint8 face of any size.

    target: "severity" maps the evidence for worse classes over milder ones.
    Returns float32 [H, W] in 0..1 at the network's input size. Raises ConfigError for a network without
    feature maps.
    """
    from pytorch_grad_cam import GradCAM

    classifier.eval()
    evidence = partial(_evidence, classifier, target)
    input_NCHW = to_input(image_HWC[None], classifier.size).to(classifier.head.weight.device)
    with GradCAM(classifier, [target_layer(classifier)]) as cam:
        heat_HW = cam(input_NCHW, [evidence])[0].astype(np.float32)
    classifier.zero_grad(set_to_none=True)
    return heat_HW


def overlay(image_HWC: Pixels, heat_HW: NDArray[np.float32], side: int) -> Pixels:
    """The face with the heatmap over it in colour, uint8 [side, side, 3]."""
    from pytorch_grad_cam.utils.image import show_cam_on_image

    grey_HWC = np.repeat((255 * heat_HW).astype(np.uint8)[:, :, None], 3, axis=2)
    face_HWC, wide_HWC = (resize(image, side) / np.float32(255) for image in (image_HWC, grey_HWC))
    return show_cam_on_image(face_HWC, wide_HWC[:, :, 0], use_rgb=True, image_weight=0.6)


def _evidence(classifier: Classifier, target: int | str | None, outputs_M: Tensor) -> Tensor:
    scores_K = classifier.head_type.scores(outputs_M[None])[0]
    if target is None:
        return scores_K.max()
    if isinstance(target, int):
        return scores_K[target]
    grades_K = torch.arange(len(scores_K), device=scores_K.device, dtype=scores_K.dtype)
    return (scores_K * (grades_K - grades_K.mean())).sum()


def target_layer(classifier: Classifier) -> nn.Module:
    """The deepest stage whose feature map is at least 8 x 8, or else the stage with the largest map.

    At 64 px the last stage of a ResNet has 2 x 2 cells, too coarse to localise a lesion.
    """
    listed = getattr(classifier.backbone, "feature_info", [])
    listed = getattr(listed, "info", listed)
    stages = [classifier.backbone.get_submodule(stage["module"]) for stage in listed]
    sides = _map_sides(classifier, stages)
    if not any(sides):
        raise ConfigError("Grad-CAM needs a convolutional backbone.", "Train with resnet18, for example.")
    fine = [stage for stage, side in zip(stages, sides, strict=True) if side >= _MIN_MAP_SIDE]
    return fine[-1] if fine else stages[int(np.argmax(sides))]


def _map_sides(classifier: Classifier, stages: list[nn.Module]) -> list[int]:
    """Height of each stage's feature map for a blank image; 0 for a stage whose output is no map."""
    sides = [0] * len(stages)

    def record(index: int, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        sides[index] = output.shape[2] if output.ndim == 4 else 0

    hooks = [stage.register_forward_hook(partial(record, index)) for index, stage in enumerate(stages)]
    try:
        with torch.inference_mode():
            classifier(torch.zeros(1, 3, classifier.size, classifier.size, device=classifier.mean.device))
    finally:
        for hook in hooks:
            hook.remove()
    return sides
