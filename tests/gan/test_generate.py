"""The stage generate: a face depends only on its seed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import BrokenArtefact, ConfigError, InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.gan.config import PRESETS, GenerateConfig, architecture
from anonderm.gan.generate import generate
from anonderm.models.stylegan2.checkpoint import load_discriminator, load_generator, save_gan
from anonderm.models.stylegan2.discriminator import new_discriminator
from anonderm.models.stylegan2.generator import new_generator, to_pixels
from anonderm.models.stylegan2.range_options import psi_by_layer
from anonderm.models.stylegan2.sampling import draw_faces, latents, styles

PSI = (0.7,) * 6  # a generator of 16 px has six style layers
CONFIG = GenerateConfig(seeds="0-19", psi=0.7)


def _save(
    path: Path, label: str | None = None, classes: tuple[str, ...] = (), fp16_weights: bool = False
) -> Checkpoint:
    arch = architecture(PRESETS["tiny"], 16, classes)
    random = torch.Generator().manual_seed(len(label or ""))
    generator, discriminator = new_generator(arch, random), new_discriminator(arch, random)
    with torch.no_grad():
        for layer in generator.layers():
            layer.noise_strength.fill_(0.3)
    card = CheckpointCard("gan", arch.to_card(), 16, classes=classes, label=label, licence="CC0-1.0")
    return save_gan(path, generator, discriminator, torch.tensor(0.5), card, fp16_weights=fp16_weights)


def _generate(config: GenerateConfig, folder: Path, *checkpoints: Checkpoint) -> FaceSet:
    with RunDir.open(folder, "generate", config, {}) as run:
        return generate(config, checkpoints, run)


def test_every_face_records_its_origin(tmp_path: Path) -> None:
    checkpoint = _save(tmp_path / "gan.safetensors", "severe")
    faces = _generate(CONFIG, tmp_path / "run", checkpoint)
    assert len(faces) == 20
    first = faces.faces[0]
    assert (first.id, first.label, first.seed, first.psi) == ("severe-00000000", "severe", 0, 0.7)
    assert (first.checkpoint, first.licence, first.split) == (checkpoint.digest, "CC0-1.0", None)
    assert faces.image(first).shape == (16, 16, 3)


@pytest.mark.parametrize("noise", ["random", "const", "none"])
def test_a_seed_gives_the_same_face_in_every_batch(tmp_path: Path, noise: str) -> None:
    generator = load_generator(_save(tmp_path / "gan.safetensors"))
    together = draw_faces(generator, [3, 7, 11, 15, 19], PSI, noise)
    assert np.array_equal(draw_faces(generator, [11], PSI, noise)[0], together[2])
    assert np.array_equal(draw_faces(generator, [*range(20, 31), 11], PSI, noise)[-1], together[2])
    assert not np.array_equal(together[0], together[1])


def test_a_seed_means_the_same_in_any_range(tmp_path: Path) -> None:
    checkpoint = _save(tmp_path / "gan.safetensors")
    early = _generate(CONFIG, tmp_path / "early", checkpoint)
    late = _generate(dataclasses.replace(CONFIG, seeds="15,13,18-19"), tmp_path / "late", checkpoint)
    shas = {face.id: face.sha256 for face in early}
    assert [face.seed for face in late] == [13, 15, 18, 19]
    assert [shas[face.id] for face in late] == [face.sha256 for face in late]


def test_a_latent_is_that_of_numpys_legacy_generator(tmp_path: Path) -> None:
    generator = load_generator(_save(tmp_path / "gan.safetensors"))
    z_NZ = latents(generator, [0, 85])
    expected = np.concatenate([np.random.RandomState(seed).randn(1, 128) for seed in (0, 85)])
    assert np.array_equal(z_NZ.numpy(), expected.astype(np.float32))
    assert float(z_NZ[0, 0]) == pytest.approx(1.7640524), "the first number that seed 0 has always given"


def test_truncation_by_layer_is_that_of_the_synthesis_by_hand(tmp_path: Path) -> None:
    generator = load_generator(_save(tmp_path / "gan.safetensors"))
    generator.w_average.copy_(torch.linspace(-1, 1, 128))
    psi = psi_by_layer(0.7, ("0-1=0.2", "5=1"), generator.style_layers)
    drawn = draw_faces(generator, [4, 9], psi, "const")
    w_ND = styles(generator, [4, 9])
    by_hand = [
        generator.w_average + own * (w_ND - generator.w_average) for own in (0.2, 0.2, 0.7, 0.7, 0.7, 1)
    ]
    images = generator.synthesise(torch.stack(by_hand, dim=1), generator.constant_noise())
    assert np.abs(drawn.astype(int) - to_pixels(images).astype(int)).max() <= 1
    assert not np.array_equal(drawn, draw_faces(generator, [4, 9], PSI, "const"))


def test_a_face_of_several_truncations_states_no_single_one(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, seeds="0-1", psi_layers=("0-1=0.2",))
    faces = _generate(config, tmp_path / "run", _save(tmp_path / "gan.safetensors"))
    assert [face.psi for face in faces] == [None, None]
    beyond = dataclasses.replace(CONFIG, psi_layers=("0-6=0.2",))
    with pytest.raises(ConfigError, match="no layer 6"):
        _generate(beyond, tmp_path / "beyond", _save(tmp_path / "gan.safetensors"))


def test_single_classes_can_be_generated(tmp_path: Path) -> None:
    checkpoint = _save(tmp_path / "gan.safetensors", classes=("healthy", "mild", "severe"))
    only = dataclasses.replace(CONFIG, seeds="0-1", classes=("severe", "healthy"))
    faces = _generate(only, tmp_path / "only", checkpoint)
    assert faces.label_counts == {"healthy": 2, "severe": 2}
    everything = _generate(dataclasses.replace(only, classes=()), tmp_path / "all", checkpoint)
    assert faces.faces[-1].sha256 == everything.faces[-1].sha256
    with pytest.raises(ConfigError, match="'rosacea'") as caught:
        _generate(dataclasses.replace(only, classes=("rosacea",)), tmp_path / "none", checkpoint)
    assert "healthy, mild, severe" in caught.value.hint


def test_a_resumed_run_generates_only_missing_faces(tmp_path: Path) -> None:
    checkpoint = _save(tmp_path / "gan.safetensors")
    whole = _generate(CONFIG, tmp_path / "whole", checkpoint)
    from anonderm.core.faceset import FaceSetWriter

    writer = FaceSetWriter(tmp_path / "cut/faces")
    for face in whole.faces[:7]:
        writer.add(np.zeros((16, 16, 3), np.uint8), face)
    (tmp_path / "cut/faces").rename(tmp_path / "kept")
    with RunDir.open(tmp_path / "run", "generate", CONFIG, {}) as run:
        (tmp_path / "kept").rename(run.folder / "faces")
        faces = generate(CONFIG, (checkpoint,), run)
    assert len(faces) == 20
    assert not faces.image(faces.faces[0]).any(), "a face that was there must not be made again"
    assert faces.faces[7].sha256 == whole.faces[7].sha256


def test_a_conditional_generator_makes_each_class(tmp_path: Path) -> None:
    checkpoint = _save(tmp_path / "gan.safetensors", classes=("mild", "severe"))
    faces = _generate(dataclasses.replace(CONFIG, seeds="0-1"), tmp_path / "run", checkpoint)
    assert [(face.id, face.label) for face in faces] == [
        ("mild-00000000", "mild"),
        ("mild-00000001", "mild"),
        ("severe-00000000", "severe"),
        ("severe-00000001", "severe"),
    ]
    assert faces.faces[0].sha256 != faces.faces[2].sha256


def test_several_generators_of_different_labels_fill_one_set(tmp_path: Path) -> None:
    mild, severe = (_save(tmp_path / f"{label}.safetensors", label) for label in ("mild", "severe"))
    faces = _generate(dataclasses.replace(CONFIG, seeds="0-2"), tmp_path / "run", mild, severe)
    assert faces.labels == ("mild", "severe")
    with pytest.raises(ConfigError, match="two generators"):
        _generate(dataclasses.replace(CONFIG, seeds="0-2"), tmp_path / "again", mild, mild)


def test_half_precision_halves_the_file_and_loads_as_float32(tmp_path: Path) -> None:
    full, half = _save(tmp_path / "full.safetensors"), _save(tmp_path / "half.safetensors", fp16_weights=True)
    assert half.path.stat().st_size < 0.55 * full.path.stat().st_size
    generator = load_generator(half)
    assert generator.first.constant.dtype == torch.float32
    exact = load_generator(full).first.constant
    assert torch.allclose(generator.first.constant, exact, atol=2e-3)
    assert load_discriminator(half)(torch.zeros(2, 3, 16, 16)).isfinite().all()


def test_a_file_that_is_not_a_gan_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoint = _save(tmp_path / "gan.safetensors")
    other = dataclasses.replace(checkpoint, card=dataclasses.replace(checkpoint.card, kind="classifier"))
    with pytest.raises(InputError, match="checkpoint of kind classifier"):
        load_generator(other)
    wider = {**checkpoint.card.architecture, "channel_base": 4096, "channel_max": 256}
    wrong = dataclasses.replace(checkpoint, card=dataclasses.replace(checkpoint.card, architecture=wider))
    with pytest.raises(BrokenArtefact, match="do not fit"):
        load_generator(wrong)
    unknown = dataclasses.replace(checkpoint, card=dataclasses.replace(checkpoint.card, architecture={}))
    with pytest.raises(BrokenArtefact, match="does not describe a StyleGAN2"):
        load_generator(unknown)
    for values in ({"resolution": 64}, {"classes": ("mild", "severe")}):
        two = dataclasses.replace(checkpoint, card=dataclasses.replace(checkpoint.card, **values))
        with pytest.raises(BrokenArtefact, match=f"differ in {next(iter(values))}"):
            load_generator(two)
