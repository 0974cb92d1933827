from __future__ import annotations

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageFilter

from anonderm.core.errors import ConfigError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.images import read_image, resize
from anonderm.core.rundir import RunDir
from anonderm.curate.config import ScreenConfig
from anonderm.curate.screen import PERSON, REASONS, screen


@pytest.fixture(scope="module")
def training(make_shared_faces, portrait) -> FaceSet:
    return make_shared_faces("training", [portrait(seed) for seed in range(120)], split="train")


def screened(faces: FaceSet, training: FaceSet, tmp_path, **settings) -> tuple[FaceSet, dict[str, str]]:
    """The faces that passed, and the reason of each that did not."""
    config = ScreenConfig(**settings)
    with RunDir.open(tmp_path / "run", "screen", config, {}) as run:
        kept = screen(config, faces, training, run)
        run.finish([])
    rejected = FaceSet.load(tmp_path / "run" / "rejected")
    assert len(kept) + len(rejected) == len(faces)
    return kept, {face.id: face.reason for face in rejected}


@pytest.fixture(scope="module")
def ordinary(portrait) -> list[np.ndarray]:
    return [portrait(1000 + seed) for seed in range(20)]


def test_faces_like_the_training_faces_pass(make_faces, training, tmp_path, portrait):
    kept, _ = screened(make_faces("syn", [portrait(1000 + seed) for seed in range(200)]), training, tmp_path)
    assert len(kept) > 180
    assert all(face.reason is None for face in kept)


def test_a_copy_of_a_training_face_is_rejected_and_its_original_named(
    make_faces, training, tmp_path, portrait, ordinary
):
    images = [*ordinary, portrait(7)]
    _, reasons = screened(make_faces("syn", images), training, tmp_path)
    assert reasons["syn-0020"].startswith("training-copy: 0.000 from training face training-0007")


def test_a_mirrored_and_compressed_copy_is_rejected(make_faces, training, tmp_path, portrait, ordinary):
    file = tmp_path / "copy.jpg"
    Image.fromarray(portrait(7)[:, ::-1]).save(file, quality=60)
    images = [*ordinary, np.asarray(Image.open(file))]
    _, reasons = screened(make_faces("syn", images), training, tmp_path)
    assert reasons["syn-0020"].startswith("training-copy")
    assert "the mirror image of training face training-0007" in reasons["syn-0020"]


def test_only_the_train_split_counts(make_faces, training, tmp_path, portrait, ordinary):
    faces = tuple(dataclasses.replace(face, split="test") if face.seed == 7 else face for face in training)
    images = [*ordinary, portrait(7)]
    _, reasons = screened(make_faces("syn", images), FaceSet(training.folder, faces), tmp_path)
    assert "syn-0020" not in reasons


def test_of_a_group_of_duplicates_the_lowest_seed_stays(make_faces, training, tmp_path, portrait, ordinary):
    images = [*ordinary, portrait(1003), portrait(1003)]
    _, reasons = screened(make_faces("syn", images), training, tmp_path)
    assert reasons["syn-0020"].startswith("duplicate: 0.000 from syn-0003")
    assert reasons["syn-0021"].startswith("duplicate: 0.000 from syn-0003")
    assert "syn-0003" not in reasons


@pytest.mark.parametrize(
    ("spoil", "statistic"),
    [
        (lambda image: np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8), "too high"),
        (lambda image: np.full_like(image, 128), "too low"),
        (lambda image: np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(3))), "sharpness"),
        (lambda image: np.concatenate([image[:, :-1], 255 - image[:, -1:]], axis=1), "border"),
    ],
    ids=["noise", "flat", "blurred", "seam"],
)
def test_artefacts_are_rejected_with_the_statistic(
    make_faces, training, tmp_path, spoil, statistic, portrait, ordinary
):
    images = [*ordinary, spoil(portrait(2000))]
    _, reasons = screened(make_faces("syn", images), training, tmp_path)
    assert reasons["syn-0020"].startswith("artefact")
    assert statistic in reasons["syn-0020"]


def test_a_face_far_from_all_training_faces_is_deformed(make_faces, training, tmp_path, portrait, ordinary):
    stripes = portrait(2000)
    stripes[np.arange(64) % 8 < 4] //= 2
    _, reasons = screened(
        make_faces("syn", [*ordinary, stripes]),
        training,
        tmp_path,
        artefact_margin=100.0,
    )
    assert reasons["syn-0020"].startswith("deformed")


def test_limits_and_funnel_are_kept(make_faces, training, tmp_path, portrait, ordinary):
    images = [*ordinary, portrait(7), portrait(1003), np.full((64, 64, 3), 128, np.uint8)]
    kept, reasons = screened(make_faces("syn", images), training, tmp_path)
    limits = json.loads((tmp_path / "run" / "limits.json").read_text())
    assert limits["training_faces"] == 120
    assert 0 < limits["duplicate"] < limits["copy"] < 1
    assert 0 < limits["deformed"] < 1
    counts = Counter(reason.partition(":")[0] for reason in reasons.values())
    assert set(counts) <= set(REASONS)
    funnel = ", ".join(f"{counts[code]} {code}" for code in REASONS if code != PERSON)
    assert f"23 faces: {funnel}; {len(kept)} kept" in (tmp_path / "run" / "log.txt").read_text()


def test_screening_again_gives_the_same_faces(make_faces, training, tmp_path, portrait, ordinary):
    faces = make_faces("syn", [*ordinary, portrait(7)])
    first = screened(faces, training, tmp_path / "a")
    second = screened(faces, training, tmp_path / "b")
    assert first[0].faces == second[0].faces
    assert first[1] == second[1]


def test_nothing_left_is_an_error_that_counts_the_reasons(make_faces, training, tmp_path):
    flat = [np.full((64, 64, 3), level, np.uint8) for level in (60, 120, 180)]
    with pytest.raises(TooFewImages, match="rejected all 3 faces"):
        screened(make_faces("syn", flat), training, tmp_path)
    assert len(FaceSet.load(tmp_path / "run" / "rejected")) == 3


def test_a_training_set_without_train_rows_is_an_error(make_faces, tmp_path, ordinary):
    faces = make_faces("syn", ordinary[:3])
    with pytest.raises(TooFewImages, match="no face of split train"):
        screened(faces, faces, tmp_path)


@pytest.mark.parametrize(
    "settings",
    [{"pca_components": 0}, {"copy_quantile": 0.6}, {"deformed_quantile": 0.3}, {"artefact_margin": -1.0}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        ScreenConfig(**settings)


@pytest.fixture(scope="module")
def real_images(shared_data) -> list[np.ndarray]:
    files = sorted((shared_data / "faces" / "healthy").iterdir())[:240]
    return [resize(read_image(file), 64) for file in files]


@pytest.fixture(scope="module")
def real_training(real_images, make_shared_faces) -> FaceSet:
    return make_shared_faces("real-training", real_images[::2], split="train")


def test_real_faces_outside_the_training_set_pass(real_images, real_training, make_faces, tmp_path):
    kept, _ = screened(make_faces("syn", real_images[1::2]), real_training, tmp_path)
    assert len(kept) > 0.9 * 120


def test_distorted_real_faces_are_mostly_rejected(real_images, real_training, make_faces, tmp_path):
    rows, columns = np.mgrid[:64, :64]
    distorted = np.clip(columns + 9 * np.sin(rows / 5), 0, 63).round().astype(int)
    images = [real_images[1], *(image[rows, distorted] for image in real_images[3::2])]
    _, reasons = screened(make_faces("syn", images), real_training, tmp_path)
    deformed = [reason for reason in reasons.values() if reason.startswith("deformed")]
    assert len(deformed) > 0.7 * 119
