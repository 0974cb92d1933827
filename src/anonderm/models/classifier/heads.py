"""Heads: what a classifier's outputs mean, the loss they are trained with, and how they become predictions.

Every head has:

outputs        how many numbers the last layer gives a face
loss           mean loss of a batch; `weights_K` gives rare classes (or types, where present) more weight,
               `smoothing` is the share of a label that is spread over all classes
scores         [N, K] logits or log-probabilities of each class; Grad-CAM follows their gradient
probabilities  [N, K]; they sum to 1 over classes, but not over lesion types
predict        class indices [N], or for lesion types 0 or 1 each [N, K]
describe       the head as JSON, for `head_from_card`

Shapes: N faces, M outputs, K classes (mildest first) or lesion types, J lesion counts 0, 1, 2, ...
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from anonderm.models.classifier.settings import HeadName

COUNT_DEVIATION = 3.0
"""Standard deviation of the label distribution over counts. Source: Wu et al. 2019, section 5.2."""
GRADING_SHARE = 0.6
"""Weight of the two losses over grades together; the loss over counts has the rest. Source: the same."""


@dataclass(frozen=True)
class Targets:
    """What to predict on some faces: class indices (int64 [N]), or which types each face has (float [N, K]).

    counts: lesions of each face, int64 [N], for heads that learn to count.
    """

    labels: Tensor
    counts: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, rows: Tensor) -> Targets:
        return Targets(self.labels[rows], None if self.counts is None else self.counts[rows])

    def to(self, device: str) -> Targets:
        return Targets(self.labels.to(device), None if self.counts is None else self.counts.to(device))


class _Head:
    name: ClassVar[HeadName]

    def scores(self, outputs_NM: Tensor) -> Tensor:
        return outputs_NM

    def probabilities(self, outputs_NM: Tensor) -> Tensor:
        return self.scores(outputs_NM).exp()

    def predict(self, probabilities_NK: NDArray[np.float32]) -> NDArray[np.intp]:
        return probabilities_NK.argmax(1)


@dataclass(frozen=True)
class _ClassHead(_Head):
    """A head that is fully described by its name and its number of classes; one logit a class."""

    classes: int

    @property
    def outputs(self) -> int:
        return self.classes

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


@dataclass(frozen=True)
class LabelDistribution(_Head):
    """Grades and lesion counts: K logits of grades, then one for each count from 0 to `highest_count`.

    bounds: the highest count of each grade but the last. Source: Wu et al. 2019 (ACNE04), section 4, where
    counts begin at 1; we add the count of 0 for healthy faces. Smoothing is not defined for it.
    """

    bounds: tuple[int, ...]
    highest_count: int
    name: ClassVar[HeadName] = "label-distribution"

    @property
    def classes(self) -> int:
        return len(self.bounds) + 1

    @property
    def outputs(self) -> int:
        return self.classes + self.highest_count + 1

    def loss(
        self, outputs_NM: Tensor, targets: Targets, weights_K: Tensor | None, smoothing: float
    ) -> Tensor:
        assert targets.counts is not None
        counts_NJ = self.count_distribution(targets.counts).to(outputs_NM.dtype)
        grades_NK = self._by_grade(counts_NJ, torch.sum)
        log_grades_NK, log_counts_NJ, log_merged_NK = self._logarithms(outputs_NM)
        grading_N = (_divergence(log_grades_NK, grades_NK) + _divergence(log_merged_NK, grades_NK)) / 2
        counting_N = _divergence(log_counts_NJ, counts_NJ)
        loss_N = GRADING_SHARE * grading_N + (1 - GRADING_SHARE) * counting_N
        if weights_K is None:
            return loss_N.mean()
        weights_N = weights_K[targets.labels]
        return (loss_N * weights_N).sum() / weights_N.sum()

    def count_distribution(self, counts_N: Tensor) -> Tensor:
        """A Gaussian around each count, truncated at 1 and `highest_count` (Wu et al. 2019, eq. 1).

        A face without lesions has all of its distribution at 0.
        """
        levels_J = torch.arange(self.highest_count + 1, device=counts_N.device)
        deviations_NJ = (levels_J - counts_N[:, None]).double() / COUNT_DEVIATION
        excluded_NJ = (levels_J == 0) != (counts_N == 0)[:, None]
        return (-(deviations_NJ**2) / 2).masked_fill(excluded_NJ, -math.inf).softmax(1)

    def scores(self, outputs_NM: Tensor) -> Tensor:
        log_grades_NK, _, log_merged_NK = self._logarithms(outputs_NM)
        return torch.logaddexp(log_grades_NK, log_merged_NK) - math.log(2)

    def counts(self, outputs_NM: Tensor) -> Tensor:
        """The most probable number of lesions of each face, int64 [N]."""
        return outputs_NM[:, self.classes :].argmax(1)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "bounds": list(self.bounds), "most": self.highest_count}

    def _logarithms(self, outputs_NM: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities of the grades, of the counts, and of the grades by their counts."""
        grades_NK, counts_NJ = outputs_NM.split((self.classes, self.highest_count + 1), dim=1)
        log_counts_NJ = counts_NJ.log_softmax(1)
        return grades_NK.log_softmax(1), log_counts_NJ, self._by_grade(log_counts_NJ, torch.logsumexp)

    def _by_grade(self, counts_NJ: Tensor, gather: Callable[..., Tensor]) -> Tensor:
        edges = (0, *(bound + 1 for bound in self.bounds), self.highest_count + 1)
        spans = itertools.pairwise(edges)
        return torch.stack([gather(counts_NJ[:, low:high], 1) for low, high in spans], dim=1)


def _divergence(log_predicted: Tensor, target: Tensor) -> Tensor:
    """Kullback-Leibler divergence of each row's prediction from its target distribution, [N]."""
    return F.kl_div(log_predicted, target, reduction="none").sum(1)


_MOST_LESIONS = 10_000

Head = Softmax | Corn | LabelDistribution | MultiLabel


def head_from_card(description: Mapping[str, Any], classes: int) -> Head:
    """The head that `describe` described. Raises KeyError or TypeError for anything else."""
    name = description["name"]
    if name == "label-distribution":
        bounds, most = tuple(map(int, description["bounds"])), int(description["most"])
        if not 0 < most <= _MOST_LESIONS:
            raise TypeError(f"most = {most}")
        return LabelDistribution(bounds, most)
    heads = (Softmax, Corn, MultiLabel)
    return {head.name: head for head in heads}[name](classes)
