"""How fast this machine trains a classifier: one step of the same network on random pixels, timed."""

from __future__ import annotations

import time
from functools import cache

import torch

from anonderm.core.launch import device
from anonderm.models.classifier.network import Classifier

_SMALL_PX = 128  # larger faces come in batches of 2, so that any network is timed within seconds
_CLASSES = ("one", "other")


@cache
def seconds_per_face(backbone: str, drop_strides: int, freeze_backbone: bool, size: int) -> float:
    """Seconds that one face of this size takes in one epoch.

    Raises ConfigError for an unknown backbone.
    """
    count = 16 if size <= _SMALL_PX else 2
    with torch.random.fork_rng(devices=[]):
        classifier = Classifier(backbone, _CLASSES, size, drop_strides).to(device())
        faces_NCHW = torch.rand(count, 3, size, size, device=device())
    classifier = classifier.to(memory_format=torch.channels_last)
    classifier.backbone.requires_grad_(not freeze_backbone)
    _step(classifier, faces_NCHW)
    start = time.perf_counter()
    _step(classifier, faces_NCHW)
    return (time.perf_counter() - start) / count


def _step(classifier: Classifier, faces_NCHW: torch.Tensor) -> None:
    """Forward and backward pass; returns when the device has finished."""
    classifier.zero_grad()
    loss = classifier(faces_NCHW).square().sum()
    loss.backward()
    loss.item()
