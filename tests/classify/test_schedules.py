"""Learning rates are those of the closed formulas."""

from __future__ import annotations

import math

import pytest
import torch

from anonderm.classify.config import Schedule
from anonderm.classify.schedules import rate_factor

STEPS = 90


def formula(name: Schedule, step: int, warm_up: float) -> float:
    done = (step + 0.5) / STEPS
    if name == "constant":
        return 1.0
    if name == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    if done < warm_up:
        return 1 - 0.96 * (1 + math.cos(math.pi * done / warm_up)) / 2
    return (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up))) / 2


@pytest.mark.parametrize("warm_up", [0.1, 0.2])
@pytest.mark.parametrize("name", ["one-cycle", "cosine", "constant"])
def test_rates_are_exactly_those_of_the_formula(name: Schedule, warm_up: float) -> None:
    for step in range(STEPS):
        assert rate_factor(name, step, STEPS, warm_up) == formula(name, step, warm_up)


def test_one_cycle_is_torchs_but_for_half_a_step() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1.0, STEPS, pct_start=0.2, final_div_factor=math.inf, cycle_momentum=False
    )
    expected = []
    for _ in range(STEPS):
        expected.append(torchs.get_last_lr()[0])
        optimiser.step()
        torchs.step()
    assert [rate_factor("one-cycle", step, STEPS) for step in range(STEPS)] == pytest.approx(
        expected, abs=0.06
    )
