"""What the stages of this package cost, and which weights they load."""

from anonderm.core import weights
from anonderm.core.cost import Cost, Workload
from anonderm.embeddings.extractors import PUBLISHED
from anonderm.evaluate.config import EncoderConfig, FidelityConfig, RealismConfig

_ENCODER_STEP_S = 0.4
_CNN_FACE_S = 0.001  # one face, once through the CNN of the two-sample test, with its baseline


def train_encoder_cost(config: EncoderConfig, work: Workload) -> Cost:
    return Cost(work.faces, (work.faces.size / 64) ** 2 * config.steps * _ENCODER_STEP_S)


def realism_cost(config: RealismConfig, work: Workload) -> Cost:
    faces = 2 * min(config.max_faces, *(flow.count for flow in work.flows))
    return Cost(work.faces, config.folds * config.epochs * faces * _CNN_FACE_S, measured_s=5)


def fidelity_needs(config: FidelityConfig | RealismConfig) -> list[weights.Lookup]:
    return weights.lookups(*map(PUBLISHED.get, config.extractors))


def realism_needs(config: RealismConfig) -> list[weights.Lookup]:
    return [*fidelity_needs(config), *weights.lookups(config.detector)]
