"""What a sweep costs."""

from anonderm.core.cost import Cost, Workload
from anonderm.experiments.gan_sweep.config import SweepGanConfig, configurations
from anonderm.gan.planning import training_cost


def sweep_gan_cost(config: SweepGanConfig, work: Workload) -> Cost:
    return training_cost(config, work, len(configurations(config)))
