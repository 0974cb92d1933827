"""Directions from class to class."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BadLabel, ConfigError, InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.gan.latents.class_directions import class_directions
from anonderm.gan.latents.config import ClassDirectionsConfig
from anonderm.gan.latents.directions import moved
from anonderm.models.stylegan2.sampling import LoadedGenerator, styles, synthesise

CONFIG = ClassDirectionsConfig(samples=500, columns=3, seeds="1-2", alpha=1.0)


def directions_of(
    folder: Path,
    *checkpoints: Checkpoint,
    faces: FaceSet | None = None,
    config: ClassDirectionsConfig = CONFIG,
) -> tuple[torch.Tensor, str, np.ndarray]:
    with RunDir.open(folder, "latents class-directions", config, {}) as run:
        saved, sheet = class_directions(config, checkpoints, faces, run)
    with safe_open(saved, framework="pt") as file:
        return file.get_tensor("directions"), file.metadata()["names"], read_image(sheet)


def test_a_conditional_generators_directions_are_differences_of_its_class_means(save, tmp_path: Path) -> None:
    checkpoint = save(classes=("healthy", "mild", "severe"))
    vectors, names, sheet = directions_of(tmp_path / "run", checkpoint)
    assert names == '["healthy to mild", "healthy to severe"]'
    means = [
        LoadedGenerator.of(checkpoint, label)
        .sample_styles(4000, torch.Generator().manual_seed(3))
        .mean(dim=0)
        for label in ("healthy", "mild", "severe")
    ]
    for vector, mean in zip(vectors, means[1:], strict=True):
        expected = mean - means[0]
        assert float((vector - expected).norm()) < 0.2 * float(expected.norm())
    healthy = LoadedGenerator.of(checkpoint, "healthy")
    there = moved(healthy.styles([2], 0.7), vectors[1], [1.0], range(6))[0]
    assert np.array_equal(sheet[-100:-4:6, -100:-4:6], synthesise(healthy.generator, there, "const")[0])


def test_the_origin_can_be_any_class(save, tmp_path: Path) -> None:
    checkpoint = save(classes=("healthy", "severe"))
    there, _, _ = directions_of(tmp_path / "there", checkpoint)
    config = ClassDirectionsConfig(samples=500, columns=3, seeds="1", origin="severe")
    back, names, _ = directions_of(tmp_path / "back", checkpoint, config=config)
    assert names == '["severe to healthy"]'
    assert torch.allclose(there, -back, atol=1e-5)
    unknown = ClassDirectionsConfig(origin="rosacea")
    with pytest.raises(ConfigError, match="'rosacea'"):
        directions_of(tmp_path / "unknown", checkpoint, config=unknown)


def test_generators_of_one_class_each_compare_when_they_share_a_base(save, tmp_path: Path) -> None:
    mild = save("mild", label="mild", seed=0, base="b" * 64)
    severe = save("severe", label="severe", seed=1, base="b" * 64)
    vectors, names, _ = directions_of(tmp_path / "run", severe, mild)
    assert names == '["mild to severe"]'
    means = [
        LoadedGenerator.of(each, None).sample_styles(4000, torch.Generator().manual_seed(3)).mean(0)
        for each in (mild, severe)
    ]
    assert float((vectors[0] - (means[1] - means[0])).norm()) < 0.3 * float(vectors[0].norm())
    other = save("other", label="severe", seed=1, base="c" * 64)
    scratch = save("scratch", label="severe", seed=1)
    for unrelated in (other, scratch):
        with pytest.raises(InputError, match="the same base"):
            directions_of(tmp_path / "unrelated", mild, unrelated)
    for same in (mild, save("all", seed=2)):
        with pytest.raises(BadLabel, match="class of its own"):
            directions_of(tmp_path / "same", mild, same)
    with pytest.raises(BadLabel, match="needs two"):
        directions_of(tmp_path / "single", mild)


def graded(folder: Path, digest: str, rows: list[tuple[str | None, int | None]]) -> FaceSet:
    writer = FaceSetWriter(folder)
    for index, (label, seed) in enumerate(rows):
        face = Face(id=f"f{index}", label=label, seed=seed, checkpoint=digest)
        writer.add(np.zeros((16, 16, 3), np.uint8), face)
    return writer.finish()


def test_graded_faces_give_the_means_of_their_seeds(save, tmp_path: Path) -> None:
    checkpoint = save()
    rows = [("mild", 3), ("severe", 4), ("mild", 5), ("severe", 6), ("severe", 7), (None, 8), ("mild", None)]
    faces = graded(tmp_path / "faces", checkpoint.digest, rows)
    vectors, names, _ = directions_of(tmp_path / "run", checkpoint, faces=faces)
    assert names == '["mild to severe"]'
    generator = LoadedGenerator.of(checkpoint, None).generator
    expected = styles(generator, [4, 6, 7]).mean(dim=0) - styles(generator, [3, 5]).mean(dim=0)
    assert torch.allclose(vectors[0], expected, atol=1e-5)


def test_the_log_compares_a_direction_with_chance(save, tmp_path: Path) -> None:
    checkpoint = save()
    rows: list[tuple[str | None, int | None]] = [("mild", seed) for seed in range(100)]
    rows += [("severe", seed) for seed in range(100, 300)]
    directions_of(tmp_path / "run", checkpoint, faces=graded(tmp_path / "faces", checkpoint.digest, rows))
    log = (tmp_path / "run/log.txt").read_text()
    length, chance = re.search(r"severe: ([\d.]+) standard dev.* about ([\d.]+)", log).groups()
    assert float(chance) == pytest.approx((1 / 100 + 1 / 200) ** 0.5, abs=0.006)
    assert 0.4 * float(chance) < float(length) < 2 * float(chance), "these groups are random"


def test_the_log_says_that_generators_with_the_same_mapping_have_no_direction(save, tmp_path: Path) -> None:
    twins = [save(label, label=label, base="b" * 64) for label in ("mild", "severe")]
    vectors, _, _ = directions_of(tmp_path / "run", *twins)
    assert not vectors.any()
    assert "0.00 standard deviations of w; hardly visible" in (tmp_path / "run/log.txt").read_text()


def test_faces_of_another_generator_do_not_count(save, tmp_path: Path) -> None:
    checkpoint = save()
    foreign = graded(tmp_path / "foreign", "0" * 64, [("mild", 1), ("severe", 2)])
    with pytest.raises(InputError, match="no labelled face"):
        directions_of(tmp_path / "run", checkpoint, faces=foreign)
    single = graded(tmp_path / "single", checkpoint.digest, [("mild", 1), ("mild", 2)])
    with pytest.raises(BadLabel, match="needs two"):
        directions_of(tmp_path / "single-run", checkpoint, faces=single)
    conditional = save("conditional", classes=("mild", "severe"))
    with pytest.raises(ConfigError, match="unconditional"):
        directions_of(tmp_path / "conditional-run", conditional, faces=foreign)
