"""Learning rate schedules, at the middle of each step."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from anonderm.classify.config import Schedule


def learning_rates(
    optimiser: Optimizer, name: Schedule, steps: int, done: int, warm_up: float = 0.2
) -> LambdaLR:
    """A scheduler for `steps` steps, of which `done` are done; a resumed training gets the same rates.

    The highest rate is the one that the optimiser was made with. Rates are those at the middle of a step:
    torch's OneCycleLR and CosineAnnealingLR take them at its start, and spend the first or last step at
    almost none.
    """
    for group in optimiser.param_groups:
        group.setdefault("initial_lr", group["lr"])
    factors: dict[Schedule, Callable[[float], float]] = {
        "one-cycle": partial(one_cycle, warm_up=warm_up),
        "cosine": cosine,
        "constant": lambda _: 1.0,
    }
    return LambdaLR(optimiser, lambda step: factors[name]((step + 0.5) / steps), last_epoch=done - 1)


def cosine(done: float, length: float = 1.0) -> float:
    """Half a cosine from 1 down to 0 over `length`."""
    return (1 + math.cos(math.pi * done / length)) / 2


def one_cycle(done: float, warm_up: float) -> float:
    """A half cosine from 1/25 up to 1 over the share `warm_up`, then down to 0 (Smith and Topin 2018)."""
    if done < warm_up:
        return 1 - 0.96 * cosine(done, warm_up)
    return cosine(done - warm_up, 1 - warm_up)
