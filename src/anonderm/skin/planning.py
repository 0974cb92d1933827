"""What the stages of this package cost, and which weights they load."""

from anonderm.core import weights
from anonderm.core.cost import Cost, Workload
from anonderm.skin.config import SkinConfig, TrainSkinConfig

_TRAINING_PHOTO_S = 1.25  # one photo of 512 px through the published network


def skin_needs(config: SkinConfig) -> list[weights.Lookup]:
    return weights.lookups(config.weights)


def train_skin_cost(config: TrainSkinConfig, work: Workload) -> Cost:
    shown = config.steps * config.batch * (config.size / 512) ** 2
    return Cost(work.faces, shown * config.width / 64 * _TRAINING_PHOTO_S)
