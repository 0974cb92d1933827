"""Which tick of a training is kept as its checkpoint, and when to stop waiting for a better one."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from anonderm.gan.tick_metrics import Measured

COPIES = 4.0
"""A tick with more than this many times the expected number of near-copies is kept only if all are so.

Were the synthetic faces strangers like the held-out ones, chance would put them above it in 2% of runs at
most, however few faces were held out: e^-4, where the nearest of them alone sets the threshold."""


@dataclass
class Best:
    """The kept tick so far: its step and its numbers, and how many ticks since were not kept.

    A tick is kept when its kernel distance is not above the lowest so far by more than the standard error of
    their difference: of two ticks that cannot be told apart the later one, as a low distance over a few
    hundred faces may be luck (the one-standard-error rule; Breiman et al. 1984, sec. 3.4.3). Ticks that copy
    training faces are kept only as long as there are no others, the least copying of them.
    """

    step: int = 0
    kernel_distance: float = math.inf
    error: float = 0.0
    closer_than_expected: float = math.inf
    lowest: float = math.inf
    lowest_error: float = 0.0
    unkept: int = 0

    def judge(self, step: int, measured: Measured) -> bool:
        """Whether to keep this tick."""
        keep = self._is_as_good(measured)
        self.unkept = 0 if keep else self.unkept + 1
        if keep:
            self.step, self.kernel_distance, self.error = step, measured.kernel_distance, measured.error
            self.closer_than_expected = measured.closer_than_expected
        if measured.closer_than_expected <= COPIES and measured.kernel_distance < self.lowest:
            self.lowest, self.lowest_error = measured.kernel_distance, measured.error
        return keep

    def _is_as_good(self, measured: Measured) -> bool:
        if measured.closer_than_expected > COPIES:
            return measured.closer_than_expected < self.closer_than_expected and self.lowest == math.inf
        margin = math.hypot(measured.error, self.lowest_error)
        return measured.kernel_distance <= self.lowest + margin

    @property
    def copies(self) -> bool:
        """Whether even the kept tick copies training faces."""
        return self.step > 0 and self.closer_than_expected > COPIES

    def numbers(self) -> dict[str, Any]:
        """As a snapshot's JSON holds them: infinity, where nothing is kept yet, is left out."""
        return {name: value for name, value in asdict(self).items() if value != math.inf}
