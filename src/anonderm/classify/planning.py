"""Costs of the training stages, and the weights that they need."""

from __future__ import annotations

from functools import partial

from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.core.cost import Cost, Flow, Workload
from anonderm.core.weights import Lookup

_DETECTOR_TILE_S = {"small": 0.23, "resnet18": 2.7, "resnet34": 3.5, "resnet50": 5.0}  # one tile of 320 px


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
    from anonderm.classify.speed import seconds_per_face

    return seconds_per_face(config.backbone, config.drop_strides, config.freeze_backbone, size)
