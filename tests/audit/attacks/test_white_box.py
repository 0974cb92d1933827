"""White-box attacks: a discriminator that scores some photos as real, a generator that can draw them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from anonderm.audit.attacks.white_box import by_discriminator, by_projection
from anonderm.audit.config import AuditConfig
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.models.stylegan2 import white_box_scores
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.checkpoint import save_gan
from anonderm.models.stylegan2.discriminator import Discriminator, new_discriminator
from anonderm.models.stylegan2.generator import Generator, new_generator
from anonderm.models.stylegan2.sampling import draw_faces


def networks(classes: tuple[str, ...] = ()) -> tuple[Generator, Discriminator]:
    arch = Architecture(16, 256, 16, 12, 10, 2, classes=classes)
    random = torch.Generator().manual_seed(0)
    return new_generator(arch, random), new_discriminator(arch, random)


def saved(folder: Path, generator: Generator, discriminator: Discriminator) -> Checkpoint:
    classes = generator.arch.classes
    card = CheckpointCard("gan", generator.arch.to_card(), 16, classes=classes)
    return save_gan(folder / "gan.safetensors", generator, discriminator, torch.tensor(0.5), card)


def photos(folder: Path, images: np.ndarray, photos_each: int = 1, label: str = "mild") -> FaceSet:
    writer = FaceSetWriter(folder)
    for index, image in enumerate(images):
        person = f"p{index // photos_each:03d}"
        writer.add(image, Face(f"{folder.name}-{index:03d}", subject=f"{folder.name}-{person}", label=label))
    return writer.finish()


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8)


def opened(folder: Path) -> RunDir:
    return RunDir.open(folder / "run", "audit", AuditConfig(), {})


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_discriminators_score_does_not_depend_on_what_is_beside_a_photo(tmp_path: Path) -> None:
    gan, faces = saved(tmp_path, *networks()), photos(tmp_path / "a", noise(40, 1))
    together = np.concatenate(list(white_box_scores.discriminator_scores(gan, faces)))
    alone = [
        next(white_box_scores.discriminator_scores(gan, FaceSet(faces.folder, (face,))))[0] for face in faces
    ]
    assert together == pytest.approx(alone, abs=1e-5)
    assert together.std() > 1e-3


def test_a_discriminator_that_memorised_the_training_photos_reveals_them(tmp_path: Path) -> None:
    generator, discriminator = networks()
    members, unrelated = noise(24, 2), noise(24, 3)
    images = torch.from_numpy(np.concatenate([members, unrelated])).permute(0, 3, 1, 2).float() / 127.5 - 1
    discriminator.arch = dataclasses.replace(discriminator.arch, deviation_group=1)
    adam = torch.optim.Adam(discriminator.parameters(), 0.01)
    for _ in range(40):
        logit_N = discriminator(images)
        loss = (
            torch.nn.functional.softplus(-logit_N[:24]).mean()
            + torch.nn.functional.softplus(logit_N[24:]).mean()
        )
        adam.zero_grad()
        loss.backward()
        adam.step()
    gan = saved(tmp_path, generator, discriminator)
    main, control = photos(tmp_path / "a", members), photos(tmp_path / "b", unrelated)
    with opened(tmp_path) as run:
        area, *_ = by_discriminator("generator 1", gan, main, control, run, rng())
        assert area.main.value > 0.95
        assert area.excess.lower_bound > 0
        exchanged, *_ = by_discriminator("generator 1", gan, control, main, run, rng())
        assert exchanged.main.value < 0.05


def test_a_persons_score_is_the_highest_of_their_photos(tmp_path: Path) -> None:
    gan, faces = saved(tmp_path, *networks()), photos(tmp_path / "a", noise(12, 4), photos_each=3)
    scores = np.concatenate(list(white_box_scores.discriminator_scores(gan, faces)))
    others = photos(tmp_path / "b", noise(9, 5))
    with opened(tmp_path) as run:
        area, *_ = by_discriminator("generator 1", gan, faces, others, run, rng())
    other = np.concatenate(list(white_box_scores.discriminator_scores(gan, others)))
    assert area.main.people == 4
    assert area.main.value == pytest.approx(np.mean(scores.reshape(4, 3).max(axis=1)[:, None] > other))


def test_photos_that_the_generator_draws_are_projected_nearer_and_a_killed_run_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gan = saved(tmp_path, *networks())
    generator = networks()[0]
    drawn = draw_faces(generator, range(18), [1.0] * generator.style_layers, "const")
    main, control = photos(tmp_path / "a", drawn), photos(tmp_path / "b", noise(18, 6))
    with opened(tmp_path) as run:
        area, *_ = by_projection("generator 1", gan, main, control, 18, 5, run, rng())
    assert area.main.value > 0.9
    assert area.main.people == 18

    file = tmp_path / "run" / "remembered.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    assert len(lines) == 4  # two batches of at most 16 on each side
    file.write_text("".join(lines[:3]) + lines[3][:40])
    calls = []
    original = white_box_scores.projection_distances
    monkeypatch.setattr(white_box_scores, "projection_distances", lambda *a: calls.append(1) or original(*a))
    with opened(tmp_path) as run:
        again, *_ = by_projection("generator 1", gan, main, control, 18, 5, run, rng())
    assert again == area
    assert len(calls) == 1


def test_photos_of_unknown_classes_are_left_out(tmp_path: Path) -> None:
    gan = saved(tmp_path, *networks(("mild", "severe")))
    known, unknown = photos(tmp_path / "a", noise(3, 7)), photos(tmp_path / "b", noise(3, 8), label="rosacea")
    with opened(tmp_path) as run:
        assert by_discriminator("generator 1", gan, known, known, run, rng())
        assert by_discriminator("generator 1", gan, known, unknown, run, rng()) == []
        assert by_projection("generator 1", gan, known, unknown, 2, 2, run, rng()) == []
        assert by_projection("generator 1", gan, known, known, 2, 2, run, rng())[0].main.people == 2


def test_a_checkpoint_that_is_no_gan_is_refused(tmp_path: Path) -> None:
    card = CheckpointCard("encoder", {}, 16)
    other = Checkpoint.save(tmp_path / "other.safetensors", {"x": torch.zeros(1)}, card)
    faces = photos(tmp_path / "a", noise(3, 7))
    with opened(tmp_path) as run, pytest.raises(InputError):
        by_discriminator("generator 1", other, faces, faces, run, rng())
