"""Fitting the training steps of a recipe into a number of minutes."""

import dataclasses
from collections.abc import Mapping

from anonderm.core.errors import ConfigError
from anonderm.recipe.estimate import estimate
from anonderm.recipe.plan import Recipe, Step

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
