"""What the stages of this package cost, and which weights they load."""

from anonderm.core import weights
from anonderm.core.cost import Cost, FaceCost, Flow, Workload
from anonderm.embeddings.extractors import PUBLISHED
from anonderm.gan.config import GenerateConfig, TrainGanConfig
from anonderm.gan.latents.config import ProjectConfig
from anonderm.models.stylegan2.range_options import parse_seeds

_GENERATE = FaceCost(1.5, 0.003)
_PROJECTION_STEP_S = 0.008  # of one image
_PACE_SETTINGS = (
    "preset",
    "batch",
    "path_length_weight",
    "style_mixing",
    "augment",
    "precision",
    "transfer",
    "last_layers",
    "freeze_d",
)
"""The settings on which the seconds of a kimg depend."""


def train_gan_cost(config: TrainGanConfig, work: Workload, trainings: int = 1) -> Cost:
    """The cost of several trainings of one length; side by side they share the machine."""
    images_per_seed = work.classes if config.conditional else 1
    output = Flow(work.faces.count, work.faces.size, images_per_seed)
    return Cost(output, measured_s=config.kimg * (trainings * kimg_seconds(config, output.size)))


def train_gan_needs(config: TrainGanConfig) -> list[weights.Lookup]:
    return weights.lookups(PUBLISHED.get(config.metric_extractor) if config.metric_faces else None)


def generate_cost(config: GenerateConfig, work: Workload) -> Cost:
    images_per_seed = sum(flow.images_per_seed for flow in work.inputs["checkpoints"])
    output = Flow(len(parse_seeds(config.seeds)) * images_per_seed, work.faces.size)
    return _GENERATE(config, work, output)


def project_cost(config: ProjectConfig, work: Workload) -> Cost:
    pixels = (work.faces.size / 64) ** 2
    return Cost(work.faces, pixels * config.steps * work.most_faces * _PROJECTION_STEP_S)


def kimg_seconds(config: TrainGanConfig, size: int) -> float:
    """Seconds for a thousand images of this training on this machine, measured over a few steps."""
    from anonderm.gan.speed import seconds_per_kimg

    return seconds_per_kimg(TrainGanConfig(**{name: getattr(config, name) for name in _PACE_SETTINGS}), size)
