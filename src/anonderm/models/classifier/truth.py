"""The right answers that a head learns from.

Shapes: N faces, K lesion types.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Truth:
    """The right answers: a class index a face (int64 [N]), or which types it shows (float [N, K]).

    counts: lesions of each face, int64 [N], where the head learns them.
    """

    answers: Tensor
    counts: Tensor | None = None

    def __len__(self) -> int:
        return len(self.answers)

    def rows(self, rows: Tensor) -> Truth:
        counts = None if self.counts is None else self.counts[rows]
        return Truth(self.answers[rows], counts)

    def to(self, device: str) -> Truth:
        return Truth(self.answers.to(device), None if self.counts is None else self.counts.to(device))
