"""How well two segmentations agree: Dice and intersection over union of each class."""

# K classes

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

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
        count = len(self.classes)
        known = truth != IGNORED
        cells = truth[known].astype(np.int64) * count + found[known]
        self.counts_KK += np.bincount(cells, minlength=count * count).reshape(count, count)

    @property
    def dice(self) -> dict[str, float]:
        """2 |A and B| / (|A| + |B|) of each class in the truth or the prediction (Dice 1945)."""
        both_K, sizes_K = self._both(), self._sizes()
        return {
            name: float(2 * both / size)
            for name, both, size in zip(self.classes, both_K, sizes_K, strict=True)
            if size
        }

    @property
    def iou(self) -> dict[str, float]:
        """|A and B| / |A or B| of each class in the truth or the prediction (Jaccard 1912)."""
        both_K, sizes_K = self._both(), self._sizes()
        return {
            name: float(both / (size - both))
            for name, both, size in zip(self.classes, both_K, sizes_K, strict=True)
            if size
        }

    @property
    def mean_dice(self) -> float:
        return float(np.mean(list(self.dice.values())))

    @property
    def mean_iou(self) -> float:
        return float(np.mean(list(self.iou.values())))

    def _both(self) -> NDArray[np.int64]:
        return np.diag(self.counts_KK)

    def _sizes(self) -> NDArray[np.int64]:
        return self.counts_KK.sum(axis=0) + self.counts_KK.sum(axis=1)
