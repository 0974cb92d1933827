"""How fast this machine trains a classifier: one step of the very network on made-up faces."""

from __future__ import annotations

import time

import torch

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.launch import device
from anonderm.models.classifier.network import Classifier

_SMALL = 128  # px; larger faces are few at a time, so that any network is timed in seconds
_CLASSES = ("one", "other")


def seconds_per_face(config: TrainClassifierConfig, size: int) -> float:
    """Seconds for one face of this side, once through training.

    Raises ConfigError for an unknown backbone.
    """
    count = 16 if size <= _SMALL else 2
    with torch.random.fork_rng(devices=[]):
        classifier = Classifier(config.backbone, _CLASSES, size, config.drop_strides).to(device())
        faces_NCHW = torch.rand(count, 3, size, size, device=device())
    classifier = classifier.to(memory_format=torch.channels_last)
    classifier.backbone.requires_grad_(not config.freeze_backbone)
    _step(classifier, faces_NCHW)
    start = time.perf_counter()
    _step(classifier, faces_NCHW)
    return (time.perf_counter() - start) / count


def _step(classifier: Classifier, faces_NCHW: torch.Tensor) -> None:
    """Forwards and backwards, until the device is done."""
    classifier.zero_grad()
    loss = classifier(faces_NCHW).square().sum()
    loss.backward()
    loss.item()
