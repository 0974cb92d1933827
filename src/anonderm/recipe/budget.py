"""Fitting the training steps of a recipe into a number of minutes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from anonderm.core.errors import ConfigError
from anonderm.recipe.estimate import estimate, kimg_seconds
from anonderm.recipe.plan import Recipe, Step

_RESERVE = 0.05  # estimates err; this share of the budget stays unplanned
_SHORTEST_KIMG = 0.2


def fit_to_budget(recipe: Recipe, minutes: float, planned: Mapping[str, float]) -> Recipe:
    """The recipe with the `kimg` of every step that has a share of the budget; `planned` lengths are kept.

    What the other steps are expected to take goes off the budget first. Raises ConfigError when nothing useful
    is left for training.
    """
    if not any(step.share for step in recipe.steps):
        raise ConfigError(f"{recipe.path}: no step has a `share` of the budget.", "Run it without a budget.")
    fixed = sum(seconds for name, seconds in estimate(recipe).items() if not _share(recipe, name))
    training = minutes * 60 * (1 - _RESERVE) - fixed
    steps = tuple(_fitted(step, training, planned, minutes, fixed) for step in recipe.steps)
    return dataclasses.replace(recipe, steps=steps)


def _share(recipe: Recipe, name: str) -> float:
    return next(step.share for step in recipe.steps if step.name == name)


def _fitted(step: Step, training: float, planned: Mapping[str, float], minutes: float, fixed: float) -> Step:
    if not step.share:
        return step
    kimg = planned.get(step.name) or round(step.share * training / kimg_seconds(step.config.preset, 64), 2)
    if kimg < _SHORTEST_KIMG:
        raise ConfigError(
            f"{step.name}: {minutes:g} minutes leave {max(kimg, 0):g} kimg of training, which is too little.",
            f"Without training the line takes about {fixed / 60:.0f} minutes; give at least {fixed / 60 + 10:.0f}.",
        )
    return dataclasses.replace(step, config=dataclasses.replace(step.config, kimg=kimg))
