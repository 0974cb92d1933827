from __future__ import annotations

import numpy as np
import pytest
import torch

from anonderm.core.errors import ConfigError
from anonderm.models.classifier.grad_cam import heat, overlay, target_layer
from anonderm.models.classifier.heads import Corn, Head, LabelDistribution, MultiLabel
from anonderm.models.classifier.network import Classifier

CLASSES = ("healthy", "mild")


def test_the_heatmap_peaks_at_the_evidence(red_classifier):
    image = np.zeros((64, 64, 3), np.uint8)
    image[40:48, 8:16, 0] = 255
    found = heat(red_classifier(CLASSES), image, CLASSES.index("mild"))
    assert found.shape == (64, 64)
    assert found[40:48, 8:16].mean() > 0.7
    assert found[:32].max() < 0.1
    shown = overlay(image, found, 192)
    assert shown.shape == (192, 192, 3)
    assert shown.dtype == np.uint8


@pytest.mark.parametrize(
    "head", [Corn(3), LabelDistribution((0, 5), 65), MultiLabel(3)], ids=lambda h: h.name
)
def test_every_head_gives_a_heatmap_for_each_class(head: Head):
    torch.manual_seed(0)
    classifier = Classifier("test_resnet", ("healthy", "mild", "severe"), 64, head_type=head).eval()
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    heats = [heat(classifier, image, target) for target in range(3)]
    assert all(np.isfinite(each).all() for each in heats)
    assert not np.allclose(heats[0], heats[2])


def test_a_larger_face_is_accepted_and_no_gradients_remain():
    classifier = Classifier("test_resnet", CLASSES, 64).eval()
    image = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    found = heat(classifier, image)
    assert 0 <= found.min() <= found.max() <= 1
    assert all(weight.grad is None for weight in classifier.parameters())
    assert not any(module._forward_hooks for module in classifier.modules())


@pytest.mark.parametrize(
    ("backbone", "drop_strides"), [("resnet10t", 0), ("resnet10t", 1), ("test_efficientnet", 1)]
)
def test_the_map_is_fine_enough_to_localise_a_lesion(backbone: str, drop_strides: int):
    classifier = Classifier(backbone, CLASSES, 64, drop_strides).eval()
    sides = []
    target_layer(classifier).register_forward_hook(lambda _m, _i, output: sides.append(output.shape[-1]))
    classifier(torch.zeros(1, 3, 64, 64))
    assert sides == [8]


def test_a_network_without_feature_maps_is_refused(red_classifier):
    classifier = red_classifier(CLASSES)
    classifier.backbone.feature_info = ()
    with pytest.raises(ConfigError, match="convolutional"):
        heat(classifier, np.zeros((64, 64, 3), np.uint8))
