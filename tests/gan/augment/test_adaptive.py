"""The steering of p."""

from __future__ import annotations

import pytest

from anonderm.gan.training_state import AdaptiveProbability


def test_p_rises_when_d_overfits_and_falls_when_it_does_not() -> None:
    state = AdaptiveProbability()
    state.adjust(sign=0.9, target=0.6, step=0.1)
    assert state.p == pytest.approx(0.1)
    state.adjust(sign=0.2, target=0.6, step=0.3)
    assert state.p == 0.0
    for _ in range(20):
        state.adjust(sign=1.0, target=0.6, step=0.1)
    assert state.p == 1.0
