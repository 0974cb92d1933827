"""How well two segmentations agree: Dice and intersection over union of each class."""

# K classes

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anonderm.metrics.confusion import confusion_matrix

IGNORED = 255
"""Pixels with this label, outside the photo, are ignored."""


@dataclass
class Agreement:
    """The number of pixels of each true (row) and predicted class (column), over all photos added."""

    classes: Sequence[str]
    counts_KK: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts_KK = np.zeros((len(self.classes), len(self.classes)), np.int64)

    def add(self, truth: NDArray[np.integer], found: NDArray[np.integer]) -> None:
        """Label maps of one shape."""
        known = truth != IGNORED
        self.counts_KK += confusion_matrix(truth[known].astype(np.int64), found[known], len(self.classes))

    @property
    def dice(self) -> dict[str, float]:
        """2 |A and B| / (|A| + |B|) of each class in the truth or the prediction (Dice 1945)."""
        return self._by_class(2 * np.diag(self.counts_KK), self._sizes())

    @property
    def iou(self) -> dict[str, float]:
        """|A and B| / |A or B| of each class in the truth or the prediction (Jaccard 1912)."""
        both_K = np.diag(self.counts_KK)
        return self._by_class(both_K, self._sizes() - both_K)

    @property
    def mean_dice(self) -> float:
        return float(np.mean(list(self.dice.values())))

    @property
    def mean_iou(self) -> float:
        return float(np.mean(list(self.iou.values())))

    def _by_class(self, part_K: NDArray[np.int64], whole_K: NDArray[np.int64]) -> dict[str, float]:
        shares = zip(self.classes, part_K, whole_K, strict=True)
        return {name: float(part / whole) for name, part, whole in shares if whole}

    def _sizes(self) -> NDArray[np.int64]:
        return self.counts_KK.sum(axis=0) + self.counts_KK.sum(axis=1)
