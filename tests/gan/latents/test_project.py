"""Projection of images into w."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.faceset import pictures as loose_pictures
from anonderm.core.images import write_png
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.gan.latents import project as stage
from anonderm.gan.latents.config import ProjectConfig
from anonderm.models.stylegan2.projection import (
    Projection,
    StyleDistribution,
    image_features,
    noise_structure,
    project,
    pyramid,
)
from anonderm.models.stylegan2.sampling import LoadedGenerator, draw_faces

CONFIG = ProjectConfig(steps=120)
QUICK = ProjectConfig(steps=12, batch=2)


def as_tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def found_by(model: LoadedGenerator, images: Tensor, config: ProjectConfig) -> Projection:
    spread = StyleDistribution.of(model.sample_styles(500, torch.Generator().manual_seed(0)))
    distance = image_features(config.distance, model.checkpoint, "cpu")
    return project(model.generator, images, distance, spread, config)


def own_images(model: LoadedGenerator, seeds: list[int]) -> tuple[Tensor, Tensor]:
    """w [N, D] and images, uncut beyond -1..1: random weights keep to no range, cut colours can't be met."""
    w_NLD = model.styles(seeds, 0.7)
    return w_NLD[:, 0], model.generator.synthesise(w_NLD, model.generator.constant_noise())


@pytest.mark.parametrize("name", ["pyramid", "pyramid+discriminator"])
def test_a_generators_own_image_is_found_again_and_its_w_as_well(model: LoadedGenerator, name: str) -> None:
    w_ND, own = own_images(model, [1, 2])
    config = dataclasses.replace(CONFIG, distance=name)
    first = found_by(model, own, dataclasses.replace(config, steps=1, learning_rate=1e-9))
    found = found_by(model, own, config)
    assert found.w_ND.shape == (2, 10)
    assert (found.distance_N < first.distance_N / 50).all(), (first.distance_N, found.distance_N)
    assert float((found.images_N3HW - own).square().mean()) < 0.01 * float(own.var())
    off, off_at_first = ((each.w_ND - w_ND).norm(dim=1) for each in (found, first))
    assert (off < off_at_first / 10).all(), (off_at_first, off)


def test_a_foreign_image_stays_farther_than_an_own_one(model: LoadedGenerator) -> None:
    _, own = own_images(model, [1])
    stripes = torch.ones(1, 3, 16, 16)
    stripes[:, :, ::2] = -1
    near, far = found_by(model, torch.cat([own, stripes]), CONFIG).distance_N
    assert far > 20 * near


def test_a_projection_does_not_depend_on_the_other_images(model: LoadedGenerator) -> None:
    images = as_tensor(draw_faces(model.generator, [1, 2], (0.7,) * 6, "const"))
    together, alone = found_by(model, images, QUICK), found_by(model, images[1:], QUICK)
    assert torch.allclose(together.w_ND[1], alone.w_ND[0], atol=1e-3)


def test_noise_maps_stay_noise(model: LoadedGenerator) -> None:
    own = as_tensor(draw_faces(model.generator, [1, 2], (0.7,) * 6, "const"))
    for map_N1HW in found_by(model, own, QUICK).noise:
        assert torch.allclose(map_N1HW.mean(dim=(1, 2, 3)), torch.zeros(2), atol=1e-5)
        assert torch.allclose(map_N1HW.square().mean(dim=(1, 2, 3)), torch.ones(2), atol=1e-4)


def test_structure_in_noise_is_detected_at_every_scale() -> None:
    random = torch.Generator().manual_seed(0)
    white = torch.randn(1, 1, 64, 64, generator=random)
    coarse = torch.randn(1, 1, 8, 8, generator=random).repeat_interleave(8, 2).repeat_interleave(8, 3)
    assert float(noise_structure([white])) < 0.1
    assert float(noise_structure([coarse])) > 20 * float(noise_structure([white]))
    shifted = torch.ones(1, 1, 8, 8)
    assert float(noise_structure([shifted])) == pytest.approx(2), "perfect correlation along both axes"


def test_the_pyramid_measures_mean_squares_at_every_size() -> None:
    grey, white = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    assert float((pyramid(grey) - pyramid(white)).square().sum()) == pytest.approx(2), "two sizes, 1 each"
    board = torch.ones(1, 3, 16, 16)
    board[..., ::2, :] = -1
    assert float((pyramid(grey) - pyramid(board)).square().sum()) == pytest.approx(1 + 4), "colours, one edge"


@pytest.mark.parametrize("name", ["pyramid", "pyramid+discriminator"])
def test_a_distance_is_zero_to_itself_and_can_be_differentiated(model: LoadedGenerator, name: str) -> None:
    features = image_features(name, model.checkpoint, "cpu")
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = features(images).detach()
    assert torch.allclose((features(images) - target).square().sum(dim=1), torch.zeros(2), atol=1e-6)
    (features(images * 0.5) - target).square().sum().backward()
    assert images.grad is not None
    assert float(images.grad.abs().sum()) > 0


def write_images(folder: Path, model: LoadedGenerator, seeds: list[int]) -> FaceSet:
    writer = FaceSetWriter(folder)
    for seed, pixels in zip(seeds, draw_faces(model.generator, seeds, (0.7,) * 6, "const"), strict=True):
        writer.add(pixels, Face(id=f"face-{seed}", label="mild", licence="CC0-1.0"))
    return writer.finish()


def run_project(config: ProjectConfig, checkpoint: Checkpoint, faces: FaceSet, folder: Path) -> list[Path]:
    with RunDir.open(folder, "latents project", config, {}) as run:
        files = stage.project_images(config, checkpoint, faces, run)
        run.finish(files)
    return files


def test_an_interrupted_projection_ends_with_the_same_files(
    save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = save()
    faces = write_images(tmp_path / "faces", LoadedGenerator.of(checkpoint, None), [4, 5, 6, 7, 8])
    whole = run_project(QUICK, checkpoint, faces, tmp_path / "whole")
    calls: list[int] = []

    def killed_at_the_second(*given, **named):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return project(*given, **named)

    monkeypatch.setattr(stage, "project", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run_project(QUICK, checkpoint, faces, tmp_path / "cut")
    cut = run_project(QUICK, checkpoint, faces, tmp_path / "cut")
    assert len(calls) == 4, "the first of three batches is not done again"
    for name, tensor in load_file(whole[0]).items():
        assert torch.equal(load_file(cut[0])[name], tensor)
    assert [path.read_bytes() for path in cut[1:]] == [path.read_bytes() for path in whole[1:]]
    records = [RunRecord.load(tmp_path / name).metrics for name in ("whole", "cut")]
    assert records[0] == records[1]
    assert [row["step"] for row in records[0]] == [1, 11, 12, 13, 23, 24, 25, 35, 36]


def test_the_files_of_a_projection_belong_together(save, tmp_path: Path) -> None:
    checkpoint = save()
    faces = write_images(tmp_path / "faces", LoadedGenerator.of(checkpoint, None), [4, 5, 6])
    run_project(QUICK, checkpoint, faces, tmp_path / "run")
    with safe_open(tmp_path / "run/projections.safetensors", framework="pt") as file:
        w_ND, distance_N, metadata = file.get_tensor("w"), file.get_tensor("distance"), file.metadata()
    assert json.loads(metadata["ids"]) == ["face-4", "face-5", "face-6"]
    assert (w_ND.shape, distance_N.shape) == ((3, 10), (3,))
    assert metadata["checkpoint"] == checkpoint.digest
    made = FaceSet.load(tmp_path / "run/faces")
    assert [(face.parents, face.label, face.seed) for face in made] == [
        ((f"face-{seed}",), "mild", None) for seed in (4, 5, 6)
    ]
    rows = RunRecord.load(tmp_path / "run").metrics
    assert rows[-1]["distance"] < rows[0]["distance"]
    assert not (tmp_path / "run/parts").exists()


def test_one_loose_photo_of_any_shape_can_be_projected(save, tmp_path: Path) -> None:
    checkpoint = save()
    write_png(tmp_path / "photos/Ünal 1.png", np.full((40, 30, 3), 120, np.uint8))
    one = loose_pictures(tmp_path / "photos/Ünal 1.png")
    assert [face.id for face in one] == ["unal-1-png"]
    run_project(QUICK, checkpoint, one, tmp_path / "run")
    assert [face.id for face in FaceSet.load(tmp_path / "run/faces")] == ["unal-1-png"]
    with pytest.raises(TooFewImages, match="no image"):
        run_project(QUICK, checkpoint, FaceSet(tmp_path, ()), tmp_path / "none")
