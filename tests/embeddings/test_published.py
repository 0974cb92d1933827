"""The published networks with random weights in the published formats."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from anonderm.core import weights
from anonderm.core.errors import BrokenArtefact, MissingWeights
from anonderm.core.faceset import FaceSetWriter
from anonderm.core.images import resize
from anonderm.core.records import Face
from anonderm.embeddings import extractors, published


def pictures(count: int, size: int) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return np.stack([resize(image, size) for image in small])


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory) -> Path:
    """pt_inception-2015-12-05 has the parameters of torchvision's network, with 1008 classes."""
    pytest.importorskip("torch_fidelity")
    from torchvision.models import inception_v3

    torch.manual_seed(0)
    network = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    path = tmp_path_factory.mktemp("weights") / "pt_inception.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def dinov2_file(tmp_path_factory) -> Path:
    """dinov2_vits14_pretrain.pth: for 518 px, and with a mask token that nothing needs."""
    import timm

    torch.manual_seed(0)
    network = timm.create_model("vit_small_patch14_dinov2", pretrained=False, num_classes=0)
    torch.nn.init.normal_(network.pos_embed, std=0.5)
    path = tmp_path_factory.mktemp("weights") / "dinov2.pth"
    torch.save({**network.state_dict(), "mask_token": torch.zeros(1, 384)}, path)
    return path


def test_inception_features_are_torch_fidelitys(inception_file: Path):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    images = pictures(2, published.INCEPTION_SIZE)
    theirs = FeatureExtractorInceptionV3("any", ["2048"], str(inception_file))
    with torch.inference_mode():
        (expected,) = theirs(torch.from_numpy(images).permute(0, 3, 1, 2))
    found = published.inception(inception_file)(images)
    assert found.shape == (2, 2048)
    assert found == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-6)


def test_dinov2_features_are_those_of_the_network_run_at_another_size(dinov2_file: Path):
    """Positions learned at 518 px are resampled once here, and at every call there."""
    import timm

    network = timm.create_model(
        "vit_small_patch14_dinov2", pretrained=False, num_classes=0, dynamic_img_size=True
    ).eval()
    state = torch.load(dinov2_file, weights_only=True)
    network.load_state_dict({name: each for name, each in state.items() if name != "mask_token"})
    images = pictures(2, published.DINOV2_SIZE)
    scaled = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    scaled = (scaled - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    with torch.inference_mode():
        expected = network(scaled).numpy()
    assert published.dinov2(dinov2_file)(images) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_embeddings_of_a_faceset_come_through_the_clean_resizing(dinov2_file, monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "locate", lambda name: {"dinov2-vitl14": dinov2_file}[name])
    extractors.extractor.cache_clear()
    writer = FaceSetWriter(tmp_path / "faces")
    (image,) = pictures(1, 300)
    writer.add(image, Face(id="one"))
    resized = published.clean_resize(image, published.DINOV2_SIZE)
    found = extractors.embed(writer.finish(), "dinov2")
    assert found == pytest.approx(published.dinov2(dinov2_file)(resized[None]), rel=1e-3, abs=1e-3)
    extractors.extractor.cache_clear()


def test_clean_resizing_removes_patterns_finer_than_the_small_image():
    """A checkerboard of single pixels is grey; without antialiasing it would leave stripes."""
    board = (np.indices((400, 400)).sum(0) % 2 * 255).astype(np.uint8)
    small = published.clean_resize(np.repeat(board[:, :, None], 3, 2), 90)
    assert np.abs(small[4:-4, 4:-4].astype(int) - 127).max() <= 6


@pytest.mark.parametrize("make", [published.inception, published.dinov2])
def test_a_file_with_other_weights_is_refused_by_name(make, tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(BrokenArtefact, match=r"other\.pth"):
        make(tmp_path / "other.pth")


def test_code_in_a_weights_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save({"cls_token": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(BrokenArtefact, match=r"evil\.pth"):
        published.dinov2(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_the_error_for_missing_weights_says_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setenv("ANONDERM_WEIGHTS", str(tmp_path))
    extractors.extractor.cache_clear()
    with pytest.raises(MissingWeights, match="anonderm weights add inception-fid"):
        extractors.extractor("inception")
