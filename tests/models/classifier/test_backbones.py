from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.errors import BrokenArtefact, ConfigError, MissingPath, MissingWeights
from anonderm.models.classifier.backbones import (
    cached_weights,
    create_backbone,
    initial_weights,
    published_normalisation,
)
from anonderm.models.classifier.lesion_cnn import Dropout, LesionCnn, draw_dropout_from
from anonderm.models.classifier.network import Classifier

CLASSES = ("healthy", "mild", "severe")


def test_each_dropped_stride_doubles_the_feature_map():
    pixels = torch.zeros(1, 3, 64, 64)
    sides = [
        Classifier("resnet10t", CLASSES, 64, drop_strides).backbone.forward_features(pixels).shape[-1]
        for drop_strides in (0, 1, 2)
    ]
    assert sides == [2, 4, 8]


def test_normalisation_gives_the_training_pixels_mean_0_and_deviation_1():
    pixels = torch.randint(50, 130, (8, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()
    classifier = Classifier("test_resnet", CLASSES, 32)
    classifier.normalise_like(pixels)
    seen = (pixels / 255 - classifier.mean) / classifier.std
    assert seen.mean().abs() < 1e-4
    assert abs(seen.std() - 1) < 1e-2


def test_an_unknown_backbone_is_refused_with_near_names():
    with pytest.raises(ConfigError, match="resnet18") as caught:
        Classifier("resnet81", CLASSES, 64)
    assert "resnet" in caught.value.hint


def test_a_size_that_the_backbone_cannot_process_is_refused():
    with pytest.raises(ConfigError, match="64 px"):
        Classifier("regnetx_002", CLASSES, 64, drop_strides=2)


@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        ("inception_resnet_v2", 299),
        ("resnetv2_50", 224),
        ("resnetv2_152", 224),
        ("densenet121", 224),
        ("vgg19", 224),
        ("resnet50", 224),
        ("efficientnet_b3", 300),
        ("efficientnet_b4", 380),
    ],
)
def test_the_published_backbones_work_at_their_published_sizes(backbone: str, size: int):
    with torch.device("meta"):
        network = create_backbone(backbone, size)
        features = network.eval()(torch.zeros(1, 3, size, size))
    assert features.ndim == 2
    assert published_normalisation(backbone) is not None


@pytest.mark.parametrize(("backbone", "size"), [("lesion-cnn", 64), ("densenet121", 32)])
def test_backbones_can_be_trained_at_a_small_size(backbone: str, size: int):
    torch.manual_seed(0)
    classifier = Classifier(backbone, CLASSES, size)
    classifier(torch.rand(2, 3, size, size)).square().sum().backward()
    assert all(weight.grad is not None for weight in classifier.parameters())


def test_the_lesion_cnn_is_the_published_one():
    with torch.device("meta"):
        network = LesionCnn(416)
        assert network(torch.zeros(2, 3, 416, 416)).shape == (2, 64)
    convolutions = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [16, 32, 64]
    assert {layer.kernel_size for layer in convolutions} == {(5, 5)}
    assert [layer.out_features for layer in network.dense if isinstance(layer, torch.nn.Linear)] == [128, 64]
    assert [layer.share for layer in network.modules() if isinstance(layer, Dropout)] == [0.2, 0.2, 0.2, 0.5]


def test_dropout_repeats_with_its_generator_and_keeps_the_mean():
    layer, x = Dropout(0.3), torch.ones(200, 200)
    draw_dropout_from(torch.Generator().manual_seed(1), layer)
    first = layer(x)
    draw_dropout_from(torch.Generator().manual_seed(1), layer)
    assert torch.equal(layer(x), first)
    assert abs((first == 0).float().mean() - 0.3) < 0.01
    assert abs(first.mean() - 1) < 0.02
    assert torch.equal(layer.eval()(x), x)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_missing_pretrained_weights_are_named(cache: Path):
    with pytest.raises(MissingWeights, match=r"timm/test_resnet\.r160_in1k") as caught:
        cached_weights("test_resnet")
    assert "hf download" in caught.value.hint


def test_pretrained_weights_are_loaded_from_the_local_cache(cache: Path):
    import timm

    torch.manual_seed(5)
    published = timm.create_model("test_resnet").state_dict()
    folder = cache / "models--timm--test_resnet.r160_in1k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    save_file(published, folder / "snapshots" / "abc" / "model.safetensors")

    start = cached_weights("test_resnet")
    classifier = Classifier("test_resnet", CLASSES, 64, start=start)
    assert start.origin == "imagenet (timm/test_resnet.r160_in1k)"
    assert torch.equal(classifier.backbone.state_dict()["conv1.0.weight"], published["conv1.0.weight"])
    assert classifier.head.out_features == 3


def settings(weights: str = "random", weights_file: Path | None = None) -> tuple[str, str, Path | None]:
    return "test_resnet", weights, weights_file


def test_random_weights_replace_missing_ones_only_if_found_is_optional(cache: Path):
    assert initial_weights(*settings(weights="imagenet-if-found")) is None
    with pytest.raises(MissingWeights):
        initial_weights(*settings(weights="imagenet"))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_of_weights_is_loaded_and_named_by_its_digest(tmp_path: Path, suffix: str):
    import hashlib

    import timm

    torch.manual_seed(6)
    published = timm.create_model("test_resnet").state_dict()
    file = tmp_path / f"weights{suffix}"
    save_file(published, file) if suffix == ".safetensors" else torch.save({"state_dict": published}, file)
    start = initial_weights(*settings(weights_file=file))
    assert start is not None
    assert start.origin == f"file sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    backbone = create_backbone("test_resnet", 64, start)
    assert torch.equal(backbone.state_dict()["conv1.0.weight"], published["conv1.0.weight"])


def test_weights_that_do_not_fit_are_refused(tmp_path: Path):
    import pickle

    file = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(1)}, file)
    with pytest.raises(BrokenArtefact, match="not the weights of test_resnet"):
        create_backbone("test_resnet", 64, initial_weights(*settings(weights_file=file)))
    with pytest.raises(MissingPath):
        initial_weights(*settings(weights_file=tmp_path / "gone.pth"))
    harmful = tmp_path / "harmful.pth"
    harmful.write_bytes(pickle.dumps(Path.unlink))
    with pytest.raises(BrokenArtefact, match="not a file of weights"):
        create_backbone("test_resnet", 64, initial_weights(*settings(weights_file=harmful)))


def test_both_a_file_and_published_weights_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="only one"):
        TrainClassifierConfig(weights="imagenet", weights_file=tmp_path / "weights.pth")
