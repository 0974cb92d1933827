"""How long the steps of a recipe will take on this machine, and fitting them into a number of minutes.

A stage states what it costs: seconds measured on this machine, or seconds on a reference machine with two
cores, which are scaled here by how fast this machine trains a small GAN.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from anonderm.core.cost import Cost, Flow, Workload
from anonderm.core.errors import ConfigError
from anonderm.recipe.plan import Recipe, Step
from anonderm.stages import STAGES

_REFERENCE_KIMG_S = 24.0  # one kimg of the tiny preset at 64 px


def estimate(recipe: Recipe) -> dict[str, float]:
    """Expected seconds of each step, by its name."""
    return {
        name: cost.measured_s + (_slowness() * cost.reference_s if cost.reference_s else 0.0)
        for name, cost in _costs(recipe).items()
    }


def _costs(recipe: Recipe) -> dict[str, Cost]:
    costs: dict[str, Cost] = {}
    for step in recipe.steps:
        inputs = {
            key: tuple(costs[source].output if source in costs else Flow() for source in sources)
            for key, sources in step.inputs.items()
        }
        workload = Workload(inputs, len(recipe.classes), recipe.photos)
        costs[step.name] = step.stage.load_cost()(step.config, workload)
    return costs


def _slowness() -> float:
    """This machine's time for a little GAN training, as a multiple of the reference machine's."""
    stage = STAGES["train-gan"]
    config = stage.load_config()(preset="tiny", kimg=1.0)
    return stage.load_cost()(config, Workload({}, classes=0)).measured_s / _REFERENCE_KIMG_S


_RESERVE = 0.05  # share of the budget that is not planned, because estimates err
_SHORTEST_KIMG = 0.2


def with_planned_lengths(recipe: Recipe, kimg: Mapping[str, float]) -> Recipe:
    """The recipe with training lengths from an earlier call of fit_to_budget."""
    steps = list(recipe.steps)
    for index, step in enumerate(steps):
        if step.name in kimg:
            config = dataclasses.replace(step.config, kimg=kimg[step.name])
            steps[index] = dataclasses.replace(step, config=config)
    return dataclasses.replace(recipe, steps=tuple(steps))


def fit_to_budget(recipe: Recipe, minutes: float) -> Recipe:
    """The recipe with a `kimg` that fits the budget, for every step with a `share` of it.

    The estimated time of all other steps is subtracted first. Raises ConfigError if too little is left.
    """
    if not any(step.share for step in recipe.steps):
        raise ConfigError(f"{recipe.path}: no step has a `share` of the budget.", "Run it without a budget.")
    seconds = estimate(recipe)
    fixed = sum(seconds[step.name] for step in recipe.steps if not step.share)
    training = minutes * 60 * (1 - _RESERVE) - fixed
    planned = {
        step.name: _fitting_kimg(step, seconds[step.name], training, minutes, fixed)
        for step in recipe.steps
        if step.share
    }
    return with_planned_lengths(recipe, planned)


def _fitting_kimg(step: Step, step_s: float, training_s: float, minutes: float, fixed_s: float) -> float:
    kimg = round(step.share * training_s / step_s * step.config.kimg, 2)
    if kimg < _SHORTEST_KIMG:
        raise ConfigError(
            f"{step.name}: {minutes:g} minutes leave time for only {max(kimg, 0):g} kimg of training.",
            f"The other steps take about {fixed_s / 60:.0f} minutes; give at least {fixed_s / 60 + 10:.0f}.",
        )
    return kimg
