from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from anonderm.classify.backbones import Classifier, cached_weights, published_normalisation
from anonderm.core.errors import ConfigError, MissingWeights

CLASSES = ("healthy", "mild", "severe")


def test_skipping_halvings_doubles_the_feature_map_each_time():
    pixels = torch.zeros(1, 3, 64, 64)
    sides = [
        Classifier("resnet10t", CLASSES, 64, halvings).backbone.forward_features(pixels).shape[-1]
        for halvings in (0, 1, 2)
    ]
    assert sides == [2, 4, 8]


def test_normalisation_gives_the_training_pixels_mean_0_and_deviation_1():
    pixels = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.3 + 0.2
    classifier = Classifier("test_resnet", CLASSES, 32)
    classifier.normalise_like(pixels)
    seen = (pixels - classifier.mean) / classifier.std
    assert seen.mean().abs() < 1e-4
    assert abs(seen.std() - 1) < 1e-2


def test_an_unknown_backbone_is_refused_with_near_names():
    with pytest.raises(ConfigError, match="resnet18") as caught:
        Classifier("resnet81", CLASSES, 64)
    assert "resnet" in caught.value.hint


def test_a_backbone_that_cannot_take_the_size_is_refused():
    with pytest.raises(ConfigError, match="64 px"):
        Classifier("regnetx_002", CLASSES, 64, skip_halvings=2)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_missing_pretrained_weights_are_named(cache: Path):
    with pytest.raises(MissingWeights, match=r"timm/test_resnet\.r160_in1k") as caught:
        cached_weights("test_resnet")
    assert "hf download" in caught.value.hint


def test_pretrained_weights_come_out_of_the_local_cache(cache: Path):
    import timm

    torch.manual_seed(5)
    published = timm.create_model("test_resnet").state_dict()
    folder = cache / "models--timm--test_resnet.r160_in1k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    save_file(published, folder / "snapshots" / "abc" / "model.safetensors")

    classifier = Classifier("test_resnet", CLASSES, 64, weights=cached_weights("test_resnet"))
    assert torch.equal(classifier.backbone.state_dict()["conv1.0.weight"], published["conv1.0.weight"])
    assert classifier.head.out_features == 3
    assert len(published_normalisation("test_resnet")[0]) == 3
