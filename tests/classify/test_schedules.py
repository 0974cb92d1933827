"""Learning rates are those of the closed formulas, also in a resumed training."""

from __future__ import annotations

import math

import pytest
import torch

from anonderm.classify.config import Schedule
from anonderm.classify.schedules import learning_rates

STEPS = 90


def rates(name: Schedule, first: int = 0, peak: float = 3e-3, warm_up: float = 0.2) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], peak)
    schedule = learning_rates(optimiser, name, STEPS, first, warm_up)
    found = []
    for _ in range(first, STEPS):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return found


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
    assert rates(name, warm_up=warm_up) == [3e-3 * formula(name, step, warm_up) for step in range(STEPS)]


@pytest.mark.parametrize("name", ["one-cycle", "cosine", "constant"])
def test_a_resumed_training_gets_the_same_rates(name: Schedule) -> None:
    assert rates(name, first=37) == rates(name)[37:]


def test_one_cycle_is_torchs_but_for_half_a_step() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 3e-3)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 3e-3, STEPS, pct_start=0.2, final_div_factor=math.inf, cycle_momentum=False
    )
    expected = []
    for _ in range(STEPS):
        expected.append(torchs.get_last_lr()[0])
        optimiser.step()
        torchs.step()
    assert rates("one-cycle") == pytest.approx(expected, abs=3e-3 * 0.06)
