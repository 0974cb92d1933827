from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from anonderm.core import weights
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import resize
from anonderm.core.records import Face
from anonderm.embeddings.extractors import EXTRACTORS, embed, embed_both_sides, embed_pixels, extractor
from anonderm.metrics.pairwise import nearest


def pictures(count: int, size: int = 64, seed: int = 0) -> np.ndarray:
    """Smooth random pictures, each unlike the others."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return np.stack([resize(image, size) for image in small])


@pytest.fixture
def faces(tmp_path) -> FaceSet:
    writer = FaceSetWriter(tmp_path / "faces")
    for number, image in enumerate(pictures(5)):
        writer.add(image, Face(id=f"f{number}"))
    return writer.finish()


def needs_weights(name: str) -> None:
    if name in weights.SHIPPED and not weights.SHIPPED[name].path.exists():
        pytest.skip(f"the shipped weights {name} are missing")
    published = {"inception": "inception-fid", "dinov2": "dinov2-vitl14"}.get(name)
    if published and not weights.third_party()[published].is_present:
        pytest.skip(f"{name} needs third-party weights; test_published.py uses random ones")


@pytest.mark.parametrize("name", EXTRACTORS)
def test_an_embedding_does_not_depend_on_its_neighbours(name: str):
    needs_weights(name)
    images = pictures(6)
    together = embed_pixels(images, name)
    assert together.dtype == np.float32
    assert together.shape[0] == 6
    for row, image in zip(together, images, strict=True):
        assert embed_pixels(image[None], name)[0] == pytest.approx(row, abs=1e-4)


@pytest.mark.parametrize("name", EXTRACTORS)
def test_no_images_give_no_rows_of_the_same_width(name: str):
    needs_weights(name)
    none = embed_pixels(np.zeros((0, 32, 32, 3), np.uint8), name)
    assert none.shape == (0, embed_pixels(pictures(1), name).shape[1])


def test_the_squared_distance_of_thumbnails_is_two_minus_twice_their_correlation():
    first, second = embed_pixels(pictures(2), "thumbnail").astype(float)
    assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-5)
    assert np.sum((first - second) ** 2) == pytest.approx(2 - 2 * first @ second, abs=1e-5)


def test_a_thumbnail_ignores_brightness_contrast_and_a_change_of_size():
    images = pictures(4, size=128)
    duller = (images * 0.6 + 40).astype(np.uint8)
    smaller = np.stack([resize(image, 96) for image in images])
    original = embed_pixels(images, "thumbnail")
    apart = np.linalg.norm(original[0] - original[1])
    for changed in (duller, smaller):
        assert np.linalg.norm(embed_pixels(changed, "thumbnail") - original, axis=1).max() < 0.1 * apart


def test_a_flat_picture_has_a_thumbnail_of_zeros():
    assert not embed_pixels(np.full((1, 64, 64, 3), 77, np.uint8), "thumbnail").any()


def test_mirrored_embeddings_are_those_of_the_mirrored_images(faces: FaceSet):
    mirrored = embed_pixels(faces.pixels()[:, :, ::-1], "thumbnail")
    assert embed(faces, "thumbnail", flip=True) == pytest.approx(mirrored)
    assert nearest(mirrored, embed(faces, "thumbnail")).distances_M.min() > 0.1


def test_embeddings_are_computed_once(faces: FaceSet, monkeypatch):
    first = embed(faces, "thumbnail")
    monkeypatch.setattr(FaceSet, "image", lambda *_: pytest.fail("computed again"))
    assert (embed(faces, "thumbnail") == first).all()


def test_a_view_of_a_set_and_a_run_in_another_folder_compute_nothing(faces: FaceSet, tmp_path, monkeypatch):
    whole = embed(faces, "thumbnail")
    copied = FaceSetWriter(tmp_path / "again")
    for face in faces:
        copied.add_from(faces, dataclasses.replace(face, label="mild"))
    again = copied.finish()
    monkeypatch.setattr(FaceSet, "image", lambda *_: pytest.fail("computed again"))
    assert (embed(faces.where(ids={"f1", "f3"}), "thumbnail") == whole[[1, 3]]).all()
    assert (embed(FaceSet(again.folder, again.faces[::-1]), "thumbnail") == whole[::-1]).all()


def test_both_sides_of_an_image_are_computed_from_one_decoding(faces: FaceSet, monkeypatch):
    decoded, image = [], FaceSet.image
    monkeypatch.setattr(FaceSet, "image", lambda self, face: decoded.append(face.id) or image(self, face))
    both = embed_both_sides(faces, "thumbnail")
    assert len(decoded) == 5
    assert (both[:, 0] == embed(faces, "thumbnail")).all()
    assert (both[:, 1] == embed(faces, "thumbnail", flip=True)).all()
    assert len(decoded) == 5


def test_a_finished_folder_is_not_written_to(faces: FaceSet):
    before = sorted(faces.folder.rglob("*"))
    embed(faces, "thumbnail")
    assert sorted(faces.folder.rglob("*")) == before


def test_an_unknown_extractor_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="thumbnail"):
        extractor("clip")
