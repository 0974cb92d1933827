"""Costs of the training stages, and the weights that they need. Importing it imports no torch."""

import time
from functools import cache, partial

from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.core.cost import Cost, Flow, Workload
from anonderm.core.launch import device
from anonderm.core.weights import Lookup

_DETECTOR_TILE_S = {"small": 0.23, "resnet18": 2.7, "resnet34": 3.5, "resnet50": 5.0}  # one tile of 320 px
_SMALL_PX = 128  # larger faces come in batches of 2, so that any network is timed within seconds


def train_classifier_cost(config: TrainClassifierConfig, work: Workload) -> Cost:
    count, size = work.faces.count, work.faces.size
    face_s = face_seconds(config, config.size or size)
    total = config.epochs * (config.epoch_faces or count)
    return Cost(Flow(count, size, training_s=face_s), measured_s=total * face_s)


def train_detector_cost(config: TrainDetectorConfig, work: Workload) -> Cost:
    tiles = config.steps * config.batch * (config.size / 320) ** 2
    return Cost(work.faces, tiles * _DETECTOR_TILE_S[config.network])


def backbone_needs(config: TrainClassifierConfig) -> list[Lookup]:
    from anonderm.models.classifier.backbones import initial_weights

    return [partial(initial_weights, config.backbone, config.weights, config.weights_file)]


def face_seconds(config: TrainClassifierConfig, size: int) -> float:
    """Seconds that one face takes in one epoch of this classifier, measured on this machine."""
    return _face_seconds(config.backbone, config.drop_strides, config.freeze_backbone, size)


@cache
def _face_seconds(backbone: str, drop_strides: int, freeze_backbone: bool, size: int) -> float:
    """Timed with random pixels. Raises ConfigError for an unknown backbone."""
    import torch

    from anonderm.models.classifier.network import Classifier

    count = 16 if size <= _SMALL_PX else 2
    with torch.random.fork_rng(devices=[]):
        classifier = Classifier(backbone, ("one", "other"), size, drop_strides).to(device())
        faces_NCHW = torch.rand(count, 3, size, size, device=device())
    classifier = classifier.to(memory_format=torch.channels_last)
    classifier.backbone.requires_grad_(not freeze_backbone)
    for _ in range(2):  # the first pass warms up
        start = time.perf_counter()
        classifier.zero_grad()
        loss = classifier(faces_NCHW).square().sum()
        loss.backward()
        loss.item()  # waits for the device
    return (time.perf_counter() - start) / count
