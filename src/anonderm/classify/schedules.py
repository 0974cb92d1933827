"""Learning rate schedules, at the middle of each step.

torch's OneCycleLR and CosineAnnealingLR take their rates at the start of a step, and spend the first or last
step at almost none.
"""

import math

from anonderm.classify.config import Schedule


def rate_factor(name: Schedule, step: int, steps: int, warm_up: float = 0.2) -> float:
    """The learning rate of one of `steps` steps as a share of the highest.

    one-cycle: half a cosine from 1/25 up to 1 over the share `warm_up`, then one down to 0 (Smith and Topin
    2018).
    """
    done = (step + 0.5) / steps
    match name:
        case "constant":
            return 1.0
        case "cosine":
            return _cosine(done, 1.0)
    if done < warm_up:
        return 1 - 0.96 * _cosine(done, warm_up)
    return _cosine(done - warm_up, 1 - warm_up)


def _cosine(done: float, length: float) -> float:
    """Half a cosine from 1 down to 0 over `length`."""
    return (1 + math.cos(math.pi * done / length)) / 2
