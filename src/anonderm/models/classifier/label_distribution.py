"""The head for joint grading and counting by label distribution learning (Wu et al. 2019). See `heads`.

Shapes: N faces, M outputs, K grades (mildest first), J lesion counts 0, 1, 2, ...
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from anonderm.models.classifier.settings import HeadName
from anonderm.models.classifier.targets import Targets

COUNT_DEVIATION = 3.0
"""Standard deviation of the label distribution over counts. Source: Wu et al. 2019, section 5.2."""
GRADING_SHARE = 0.6
"""Weight of the two losses over grades together; the loss over counts has the rest. Source: the same."""


@dataclass(frozen=True)
class LabelDistribution:
    """K logits of grades, then one logit for each lesion count from 0 to `highest_count`.

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

    def probabilities(self, outputs_NM: Tensor) -> Tensor:
        return self.scores(outputs_NM).exp()

    def counts(self, outputs_NM: Tensor) -> Tensor:
        """The most probable number of lesions of each face, int64 [N]."""
        return outputs_NM[:, self.classes :].argmax(1)

    def predict(self, probabilities_NK: NDArray[np.float32]) -> NDArray[np.intp]:
        return probabilities_NK.argmax(1)

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
