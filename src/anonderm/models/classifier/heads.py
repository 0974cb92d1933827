"""What the outputs of a classifier's last layer mean: how they are learned, and read as probabilities.

Each head is a small value with the same names:

outputs        how many numbers the last layer gives a face
loss           the mean loss of some faces; `weights_K` lets rare classes (or types, where seen) count more,
               `smoothing` is the share of a label that is spread over all classes
scores         [N, K] what spoke for each class, logits or log-probabilities: Grad-CAM follows their gradient
probabilities  [N, K] they sum to 1 over classes, and stand alone for lesion types
decide         the class index of each face [N], or 1 for each type that is seen and 0 elsewhere [N, K]
describe       what `read_as` needs to make the head again, as JSON holds it

Shapes: N faces, M outputs, K classes (mildest first) or lesion types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from anonderm.models.classifier.label_distribution import LabelDistribution
from anonderm.models.classifier.settings import HeadName
from anonderm.models.classifier.truth import Truth


@dataclass(frozen=True)
class Softmax:
    """Classes without an order: one logit each."""

    classes: int
    name: HeadName = "softmax"

    @property
    def outputs(self) -> int:
        return self.classes

    def loss(self, outputs_NM: Tensor, truth: Truth, weights_K: Tensor | None, smoothing: float) -> Tensor:
        return F.cross_entropy(outputs_NM, truth.answers, weights_K, label_smoothing=smoothing)

    def scores(self, outputs_NM: Tensor) -> Tensor:
        return outputs_NM

    def probabilities(self, outputs_NM: Tensor) -> Tensor:
        return outputs_NM.softmax(1)

    def decide(self, probabilities_NK: NDArray[np.float32]) -> NDArray[np.intp]:
        return probabilities_NK.argmax(1)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


@dataclass(frozen=True)
class Corn:
    """Grades in order: output k is the logit of being worse than k, given that it is at least k.

    Source: Shi, Cao and Raschka 2021 (CORN), equations 3 to 6. Smoothing is not defined for it.
    """

    classes: int
    name: HeadName = "corn"

    @property
    def outputs(self) -> int:
        return self.classes - 1

    def loss(self, outputs_NM: Tensor, truth: Truth, weights_K: Tensor | None, smoothing: float) -> Tensor:
        grades_N1 = truth.answers[:, None]
        steps_M = torch.arange(self.outputs, device=outputs_NM.device)
        # Step k is learned from the faces of grade k and worse alone, and every such answer counts the same.
        asked_NM = (grades_N1 >= steps_M).to(outputs_NM.dtype)
        if weights_K is not None:
            asked_NM = asked_NM * weights_K[truth.answers][:, None]
        worse_NM = (grades_N1 > steps_M).to(outputs_NM.dtype)
        summed = F.binary_cross_entropy_with_logits(outputs_NM, worse_NM, asked_NM, reduction="sum")
        return summed / asked_NM.sum()

    def scores(self, outputs_NM: Tensor) -> Tensor:
        reached_NM = F.logsigmoid(outputs_NM).cumsum(1)
        reached_NK = torch.cat([torch.zeros_like(reached_NM[:, :1]), reached_NM], dim=1)
        stays_NM = F.logsigmoid(-outputs_NM)
        return reached_NK + torch.cat([stays_NM, torch.zeros_like(stays_NM[:, :1])], dim=1)

    def probabilities(self, outputs_NM: Tensor) -> Tensor:
        return self.scores(outputs_NM).exp()

    def decide(self, probabilities_NK: NDArray[np.float32]) -> NDArray[np.intp]:
        """The number of grades that a face is more likely than not beyond (the rank of section 3.4)."""
        worse_NM = 1 - probabilities_NK.astype(np.float64).cumsum(1)[:, :-1]
        return (worse_NM > 0.5).sum(1)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


@dataclass(frozen=True)
class MultiLabel:
    """Lesion types, any number of them on a face: one logit each, binary cross entropy."""

    classes: int
    name: HeadName = "multi-label"

    @property
    def outputs(self) -> int:
        return self.classes

    def loss(self, outputs_NM: Tensor, truth: Truth, weights_K: Tensor | None, smoothing: float) -> Tensor:
        soft_NK = truth.answers * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(outputs_NM, soft_NK, pos_weight=weights_K)

    def scores(self, outputs_NM: Tensor) -> Tensor:
        return outputs_NM

    def probabilities(self, outputs_NM: Tensor) -> Tensor:
        return outputs_NM.sigmoid()

    def decide(self, probabilities_NK: NDArray[np.float32]) -> NDArray[np.intp]:
        return (probabilities_NK > 0.5).astype(np.intp)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


Reading = Softmax | Corn | LabelDistribution | MultiLabel


def read_as(description: Mapping[str, Any], classes: int) -> Reading:
    """The reading that `describe` described. Raises KeyError or TypeError for anything else."""
    name = description["name"]
    if name == "label-distribution":
        return LabelDistribution(tuple(description["bounds"]), description["most"])
    kinds = (Softmax, Corn, MultiLabel)
    return {kind.name: kind for kind in kinds}[name](classes)
