"""What a classifier is trained to predict.

Shapes: N faces, K lesion types.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Targets:
    """Labels of some faces: class indices (int64 [N]), or which types each face has (float [N, K]).

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
