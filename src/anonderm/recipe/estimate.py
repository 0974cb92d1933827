"""How long the steps of a recipe will take on this machine.

A stage states what it costs: seconds measured on this machine, or seconds on a reference machine with two
cores, which are scaled here by how fast this machine trains a small GAN.
"""

from anonderm.core.cost import Cost, Flow, Workload
from anonderm.recipe.plan import Recipe
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
