"""Prediction with a trained classifier: checkpoint -> network -> probabilities."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import ConfigError
from anonderm.core.images import Pixels, resize
from anonderm.models.classifier.heads import LabelDistribution, head_from_card
from anonderm.models.classifier.network import Classifier


def load_classifier(checkpoint: Checkpoint, device: str = "cpu") -> Classifier:
    """The network of a checkpoint from train-classifier, ready to predict. Raises BrokenArtefact."""
    hint = "Give a checkpoint from train-classifier."
    with checkpoint.opened_as("classifier", "a classifier", hint) as card:
        classifier = Classifier(
            card.architecture["backbone"],
            card.classes,
            card.resolution,
            card.architecture["drop_strides"],
            head_type=head_from_card(card.architecture["head"], len(card.classes)),
        )
        classifier.load_state_dict(checkpoint.tensors())
    return classifier.to(device).eval()


def load_grader(checkpoint: Checkpoint, device: str = "cpu") -> Classifier:
    """A classifier that predicts one class a face. Raises BrokenArtefact; ConfigError for lesion types."""
    classifier = load_classifier(checkpoint, device)
    if classifier.head_type.name == "multi-label":
        raise ConfigError(
            f"{checkpoint.path}: predicts lesion types ({', '.join(classifier.classes)}), not classes.",
            "Give one with another head: train-classifier --head softmax, corn or label-distribution.",
        )
    return classifier


def probabilities(classifier: Classifier, pixels_NHWC: Pixels, batch: int = 64) -> NDArray[np.float32]:
    """Probability of each class, float32 [N, K], of uint8 faces of any size."""
    return _in_batches(classifier, classifier.head_type.probabilities, pixels_NHWC, batch)


def lesion_counts(classifier: Classifier, pixels_NHWC: Pixels, batch: int = 64) -> NDArray[np.float32]:
    """Predicted number of lesions [N] on uint8 faces; for a classifier with head label-distribution."""
    head = classifier.head_type
    assert isinstance(head, LabelDistribution)
    return _in_batches(classifier, head.counts, pixels_NHWC, batch)


def to_bytes(pixels_NHWC: Pixels, size: int) -> Tensor:
    """uint8 faces of any size as uint8 [N, C, size, size]."""
    if pixels_NHWC.shape[1:3] != (size, size):
        resized = [resize(image_HWC, size) for image_HWC in pixels_NHWC]
        pixels_NHWC = np.array(resized, np.uint8).reshape(-1, size, size, 3)
    return torch.tensor(pixels_NHWC).permute(0, 3, 1, 2)


def to_input(pixels_NHWC: Pixels, size: int) -> Tensor:
    """uint8 faces of any size as the network's input, float [N, C, size, size] in 0..1."""
    return to_bytes(pixels_NHWC, size).float() / 255


def _in_batches(
    classifier: Classifier, decode: Callable[[Tensor], Tensor], pixels_NHWC: Pixels, batch: int
) -> NDArray[np.float32]:
    classifier.eval()
    device = classifier.head.weight.device
    parts = []
    with torch.inference_mode():
        for start in range(0, max(1, len(pixels_NHWC)), batch):
            input_NCHW = to_input(pixels_NHWC[start : start + batch], classifier.size).to(device)
            parts.append(decode(classifier(input_NCHW).float()).float().cpu().numpy())
    return np.concatenate(parts)
