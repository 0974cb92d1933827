"""Heads: what a classifier's outputs mean, the loss they are trained with, and how they become predictions.

Every head has:

outputs        how many numbers the last layer gives a face
loss           mean loss of a batch; `weights_K` gives rare classes (or types, where present) more weight,
               `smoothing` is the share of a label that is spread over all classes
scores         [N, K] logits or log-probabilities of each class; Grad-CAM follows their gradient
probabilities  [N, K]; they sum to 1 over classes, but not over lesion types
predict        class indices [N], or for lesion types 0 or 1 each [N, K]
describe       the head as JSON, for `head_from_card`

Shapes: N faces, M outputs, K classes (mildest first) or lesion types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from anonderm.models.classifier.label_distribution import LabelDistribution
from anonderm.models.classifier.settings import HeadName
from anonderm.models.classifier.targets import Targets


@dataclass(frozen=True)
class _ClassHead:
    """A head that is fully described by its name and its number of classes; one logit a class."""

    classes: int
    name: ClassVar[HeadName]

    @property
    def outputs(self) -> int:
        return self.classes

    def scores(self, outputs_NM: Tensor) -> Tensor:
        return outputs_NM

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


@dataclass(frozen=True)
class Softmax(_ClassHead):
    """Classes without an order; cross entropy."""

    name: ClassVar[HeadName] = "softmax"

    def loss(
        self, outputs_NM: Tensor, targets: Targets, weights_K: Tensor | None, smoothing: float
    ) -> Tensor:
        return F.cross_entropy(outputs_NM, targets.labels, weights_K, label_smoothing=smoothing)

    def probabilities(self, outputs_NM: Tensor) -> Tensor:
        return outputs_NM.softmax(1)

    def predict(self, probabilities_NK: NDArray[np.float32]) -> NDArray[np.intp]:
        return probabilities_NK.argmax(1)


@dataclass(frozen=True)
class Corn(_ClassHead):
    """Grades in order: output k is the logit of being worse than grade k, given grade k or worse.

    Source: Shi, Cao and Raschka 2021 (CORN), equations 3 to 6. Smoothing is not defined for it.
    """

    name: ClassVar[HeadName] = "corn"

    @property
    def outputs(self) -> int:
        return self.classes - 1

    def loss(
        self, outputs_NM: Tensor, targets: Targets, weights_K: Tensor | None, smoothing: float
    ) -> Tensor:
        grades_N1 = targets.labels[:, None]
        thresholds_M = torch.arange(self.outputs, device=outputs_NM.device)
        # Output k is trained on faces of grade k and worse only; every such term has the same weight.
        used_NM = (grades_N1 >= thresholds_M).to(outputs_NM.dtype)
        if weights_K is not None:
            used_NM = used_NM * weights_K[targets.labels][:, None]
        worse_NM = (grades_N1 > thresholds_M).to(outputs_NM.dtype)
        total = F.binary_cross_entropy_with_logits(outputs_NM, worse_NM, used_NM, reduction="sum")
        return total / used_NM.sum()

    def scores(self, outputs_NM: Tensor) -> Tensor:
        reached_NM = F.logsigmoid(outputs_NM).cumsum(1)
        reached_NK = torch.cat([torch.zeros_like(reached_NM[:, :1]), reached_NM], dim=1)
        stays_NM = F.logsigmoid(-outputs_NM)
        return reached_NK + torch.cat([stays_NM, torch.zeros_like(stays_NM[:, :1])], dim=1)

    def probabilities(self, outputs_NM: Tensor) -> Tensor:
        return self.scores(outputs_NM).exp()

    def predict(self, probabilities_NK: NDArray[np.float32]) -> NDArray[np.intp]:
        """The number of grades that a face is worse than with a probability above 0.5 (section 3.4)."""
        worse_NM = 1 - probabilities_NK.astype(np.float64).cumsum(1)[:, :-1]
        return (worse_NM > 0.5).sum(1)


@dataclass(frozen=True)
class MultiLabel(_ClassHead):
    """Lesion types, any number of them on a face; binary cross entropy."""

    name: ClassVar[HeadName] = "multi-label"

    def loss(
        self, outputs_NM: Tensor, targets: Targets, weights_K: Tensor | None, smoothing: float
    ) -> Tensor:
        soft_NK = targets.labels * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(outputs_NM, soft_NK, pos_weight=weights_K)

    def probabilities(self, outputs_NM: Tensor) -> Tensor:
        return outputs_NM.sigmoid()

    def predict(self, probabilities_NK: NDArray[np.float32]) -> NDArray[np.intp]:
        return (probabilities_NK > 0.5).astype(np.intp)


Head = Softmax | Corn | LabelDistribution | MultiLabel


def head_from_card(description: Mapping[str, Any], classes: int) -> Head:
    """The head that `describe` described. Raises KeyError or TypeError for anything else."""
    name = description["name"]
    if name == "label-distribution":
        return LabelDistribution(tuple(description["bounds"]), description["most"])
    heads = (Softmax, Corn, MultiLabel)
    return {head.name: head for head in heads}[name](classes)
