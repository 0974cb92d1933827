"""The weights that a training takes from its base, and the layers that it trains."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from tests.gan.conftest import QUICK, make_faces, train
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.gan.config import PRESETS, TrainGanConfig, architecture
from anonderm.gan.training_state import new_networks
from anonderm.gan.transfer import check_base_settings, freeze_layers, transfer
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.checkpoint import save_gan
from anonderm.models.stylegan2.discriminator import Discriminator
from anonderm.models.stylegan2.generator import Generator

SHORT = dataclasses.replace(QUICK, kimg=0.016, metric_faces=0)


def _arch(*classes: str, resolution: int = 16) -> Architecture:
    small = dataclasses.replace(PRESETS["tiny"], channel_base=256, channel_max=16, z_dim=12)
    return dataclasses.replace(architecture(small, resolution, classes), w_dim=10)


def _base(folder: Path, *classes: str, resolution: int = 16) -> tuple[Checkpoint, Generator, Discriminator]:
    """A base whose biases are not zero, as after training."""
    arch = _arch(*classes, resolution=resolution)
    generator, discriminator = new_networks(arch, 1, "cpu")
    random = torch.Generator().manual_seed(0)
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.data += torch.randn(parameter.shape, generator=random)
    card = CheckpointCard("gan", arch.to_card(), resolution, classes=classes)
    path = folder / f"base-{'-'.join(classes)}{resolution}.safetensors"
    return save_gan(path, generator, discriminator, torch.ones(()), card), generator, discriminator


def _one_hot(index: int, classes: int, count: int = 6) -> Tensor:
    label_NK = torch.zeros(count, classes)
    label_NK[:, index] = 1
    return label_NK


def _inputs(resolution: int = 16) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(3)
    return torch.randn(6, 12, generator=random), torch.randn(6, 3, resolution, resolution, generator=random)


def _close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_every_class_starts_as_the_unconditional_base(tmp_path: Path, index: int) -> None:
    base, generator_0, discriminator_0 = _base(tmp_path)
    generator, discriminator = new_networks(_arch("a", "b", "c"), 2, "cpu")
    result = transfer(generator, discriminator, base, None)
    z_NZ, images = _inputs()
    label_NK = _one_hot(index, 3)
    assert _close(generator.mapping(z_NZ, label_NK), generator_0.mapping(z_NZ))
    assert _close(generator(z_NZ, label_NK, None), generator_0(z_NZ, None, None))
    assert _close(discriminator(images, label_NK), discriminator_0(images))
    assert "classes a, b, c: all start as the base, which has none" in result.log


def test_each_class_embedding_gets_its_own_gradient(tmp_path: Path) -> None:
    """The gradient of either network's output reaches each class' embedding on its own."""
    base, *_ = _base(tmp_path)
    generator, discriminator = new_networks(_arch("a", "b"), 2, "cpu")
    transfer(generator, discriminator, base, None)
    z_NZ, images = _inputs()
    (generator.mapping(z_NZ, _one_hot(1, 2)) ** 2).sum().backward()
    discriminator(images, _one_hot(1, 2)).sum().backward()
    for network in (generator, discriminator):
        slope_DK = network.mapping.embed.weight.grad
        assert slope_DK[:, 0].abs().max() == 0
        assert slope_DK[:, 1].abs().max() > 1e-4


def test_classes_of_the_same_name_keep_their_embeddings(tmp_path: Path) -> None:
    base, generator_0, discriminator_0 = _base(tmp_path, "mild", "severe")
    generator, discriminator = new_networks(_arch("healthy", "mild", "severe", "worst"), 2, "cpu")
    result = transfer(generator, discriminator, base, None)
    z_NZ, images = _inputs()
    for own, old in ((1, 0), (2, 1)):
        assert _close(generator.mapping(z_NZ, _one_hot(own, 4)), generator_0.mapping(z_NZ, _one_hot(old, 2)))
        assert _close(discriminator(images, _one_hot(own, 4)), discriminator_0(images, _one_hot(old, 2)))
    fresh = generator.mapping(z_NZ, _one_hot(0, 4))
    assert not any(_close(fresh, generator_0.mapping(z_NZ, _one_hot(old, 2))) for old in (0, 1))
    assert "classes: embeddings kept: mild, severe; fresh: healthy, worst; dropped: none" in result.log


def test_a_network_of_one_class_starts_as_that_class_of_the_base(tmp_path: Path) -> None:
    base, generator_0, discriminator_0 = _base(tmp_path, "mild", "severe")
    generator, discriminator = new_networks(_arch(), 2, "cpu")
    transfer(generator, discriminator, base, "severe")
    z_NZ, images = _inputs()
    assert _close(generator.mapping(z_NZ), generator_0.mapping(z_NZ, _one_hot(1, 2)))
    assert _close(discriminator(images), discriminator_0(images, _one_hot(1, 2)))


def test_without_a_class_the_discriminator_starts_as_the_mean_over_classes(
    tmp_path: Path,
) -> None:
    base, _, discriminator_0 = _base(tmp_path, "mild", "severe")
    generator, discriminator = new_networks(_arch(), 2, "cpu")
    transfer(generator, discriminator, base, None)
    _, images = _inputs()
    logits = [discriminator_0(images, _one_hot(index, 2)) for index in (0, 1)]
    assert _close(discriminator(images), (logits[0] + logits[1]) / 2)


def test_blocks_are_copied_to_the_same_resolution(tmp_path: Path) -> None:
    """D counts from the largest size: its 16 px block is number 0 in a base of 16 px and number 1 here."""
    base, generator_0, discriminator_0 = _base(tmp_path)
    generator, discriminator = new_networks(_arch(resolution=32), 2, "cpu")
    result = transfer(generator, discriminator, base, None)
    assert torch.equal(discriminator.blocks[1].shrink.weight, discriminator_0.blocks[0].shrink.weight)
    assert torch.equal(generator.blocks[1].grow.weight, generator_0.blocks[1].grow.weight)
    assert {"discriminator.from_rgb.weight", "discriminator.blocks.0.shrink.weight"} <= result.fresh
    assert "discriminator.blocks.1.shrink.weight" not in result.fresh


@pytest.mark.parametrize(
    ("freeze_d", "frozen"),
    [
        (0, set()),
        (1, {"from_rgb"}),
        (4, {"from_rgb", "blocks.0"}),
        (6, {"from_rgb", "blocks.0", "blocks.1.convolution", "blocks.1.shrink"}),
    ],
)
def test_freeze_d_counts_layers_from_the_image_on(freeze_d: int, frozen: set[str]) -> None:
    """One layer reads colours, then a block has two convolutions and a short cut: NVIDIA's count."""
    generator, discriminator = new_networks(_arch(), 0, "cpu")
    freeze_layers(generator, discriminator, TrainGanConfig(freeze_d=freeze_d))
    kept = {name for name, p in discriminator.named_parameters() if not p.requires_grad}
    expected = {
        name
        for name, _ in discriminator.named_parameters()
        if any(name.startswith(f"{layer}.") for layer in frozen)
    }
    assert kept == expected
    assert all(p.requires_grad for p in generator.parameters())


@pytest.mark.parametrize(("resolution", "layers"), [(16, 7), (64, 13), (256, 19)])
def test_more_layers_than_there_are_cannot_be_frozen(resolution: int, layers: int) -> None:
    generator, discriminator = new_networks(_arch(resolution=resolution), 0, "cpu")
    assert len(discriminator.freezable()) == layers
    with pytest.raises(ConfigError, match=f"has {layers} layers"):
        freeze_layers(generator, discriminator, TrainGanConfig(freeze_d=layers + 1))


def test_settings_that_freeze_a_base_require_one() -> None:
    with pytest.raises(ConfigError, match="freeze_d = 4 needs a base"):
        check_base_settings(TrainGanConfig(freeze_d=4), None)
    with pytest.raises(ConfigError, match="transfer = mapping needs a base"):
        check_base_settings(TrainGanConfig(transfer="mapping"), None)


def test_more_last_layers_than_there_are_are_refused() -> None:
    generator, discriminator = new_networks(_arch(), 0, "cpu")
    with pytest.raises(ConfigError, match="have 2 resolutions"):
        freeze_layers(generator, discriminator, TrainGanConfig(transfer="last-layers", last_layers=3))


@pytest.fixture(scope="module")
def trained_base(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("base")
    train(SHORT, make_faces(folder / "faces", size=16), folder / "run")
    return Checkpoint.load(folder / "run/checkpoint.safetensors")


@pytest.fixture
def small_faces(tmp_path: Path) -> FaceSet:
    return make_faces(tmp_path / "faces", size=16)


def _changed(base: Checkpoint, after: dict[str, Tensor]) -> set[str]:
    """The modules, down to the number of a block, in which a weight is not the base's any more."""
    before = base.tensors()
    names = {name for name in before if not torch.equal(before[name], after[name])}
    return {".".join(name.split(".")[: 3 if ".blocks." in name else 2]) for name in names}


def test_last_layers_trains_the_highest_resolutions_of_g_and_the_end_of_d(
    trained_base: Checkpoint, small_faces: FaceSet, tmp_path: Path
) -> None:
    """Path lengths are taken in w though the mapping network is frozen."""
    config = dataclasses.replace(SHORT, transfer="last-layers", last_layers=1)
    after = train(config, small_faces, tmp_path / "run", trained_base)
    end_of_d = {f"discriminator.{name}" for name in ("blocks.1", "convolution", "dense", "logit")}
    expected = {"generator.blocks.1", *end_of_d, "generator.w_average", "path_length_mean"}
    assert _changed(trained_base, after) == expected


def test_mapping_trains_only_the_mapping_network_of_g(
    trained_base: Checkpoint, small_faces: FaceSet, tmp_path: Path
) -> None:
    after = train(
        dataclasses.replace(SHORT, transfer="mapping", freeze_d=4),
        small_faces,
        tmp_path / "run",
        trained_base,
    )
    changed = _changed(trained_base, after)
    assert {name for name in changed if name.startswith("generator.")} == {
        "generator.mapping",
        "generator.w_average",
    }
    assert "discriminator.blocks.1" in changed
    assert not {"discriminator.from_rgb", "discriminator.blocks.0"} & changed
    assert "of the generator, " in (tmp_path / "run/log.txt").read_text()


def test_layers_that_the_base_lacks_are_trained_in_every_mode(
    trained_base: Checkpoint, small_faces: FaceSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(SHORT, transfer="last-layers", conditional=True)
    train(config, small_faces, tmp_path / "run", trained_base)
    state = Checkpoint.load(tmp_path / "run/checkpoint.safetensors").tensors()
    assert state["generator.mapping.embed.weight"].abs().max() > 0
    before = trained_base.tensors()
    assert torch.equal(
        state["generator.mapping.layers.1.weight"], before["generator.mapping.layers.1.weight"]
    )
