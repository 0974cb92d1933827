from __future__ import annotations

import numpy as np
import pytest

from anonderm.audit.config import AuditConfig
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import resize
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.embeddings.matchers.registry import CopyMatcher
from anonderm.embeddings.near_duplicates.edge_histograms import edges, mirrored
from anonderm.metrics.pairwise import distances

SIDE = 128


def picture(seed: int) -> np.ndarray:
    return resize(np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8), SIDE)


def cropped(image: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    from PIL import Image

    box = (left, top, SIDE - right, SIDE - bottom)
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS, box))


def faceset(folder, images) -> FaceSet:
    writer = FaceSetWriter(folder)
    for number, image in enumerate(images):
        writer.add(np.ascontiguousarray(image), Face(f"f{number:02d}"))
    return writer.finish()


@pytest.fixture
def run(tmp_path):
    with RunDir.open(tmp_path / "run", "audit", AuditConfig(), {}) as opened:
        yield opened


CHANGES = {
    "exact": lambda image: image,
    "flip": lambda image: image[:, ::-1],
    "crop of 2%": lambda image: cropped(image, 3, 3, 3, 3),
    "crop of 5%": lambda image: cropped(image, 6, 6, 6, 6),
    "crop of 8%": lambda image: cropped(image, 10, 10, 10, 10),
    "crop of one side": lambda image: cropped(image, 8, 0, 0, 0),
    "mirrored crop": lambda image: cropped(image, 8, 4, 4, 8)[:, ::-1],
    "paler and brighter": lambda image: (image * 0.6 + 90).astype(np.uint8),
    "another colour": lambda image: np.clip(image * [1.2, 0.9, 0.7], 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_altered_copy_is_nearer_than_every_other_picture(tmp_path, run, change):
    originals = [picture(seed) for seed in range(5)]
    views = CopyMatcher().extract(faceset(tmp_path / "real", originals), run, views=True)
    altered = faceset(tmp_path / "altered", [CHANGES[change](image) for image in originals])
    table = distances(CopyMatcher().extract(altered, run), views)
    own, others = np.diag(table), table[~np.eye(5, dtype=bool)]
    assert own.max() < 0.7 * others.min()
    if change in ("exact", "flip"):
        assert own.max() < 2e-3  # the square root of the rounding of float32 products


def test_a_picture_without_edges_matches_no_other(tmp_path, run):
    flat = np.full((SIDE, SIDE, 3), 120, np.uint8)
    found = CopyMatcher().extract(faceset(tmp_path / "faces", [flat, picture(1)]), run)
    assert not found.rows_ND[0].any()
    assert np.linalg.norm(found.rows_ND[1]) == pytest.approx(1, abs=1e-5)


def test_brightness_and_contrast_hardly_matter():
    grey = picture(2)[::2, ::2, 0].astype(np.float32)
    assert np.linalg.norm(edges(grey) - edges(0.5 * grey + 60)) < 0.15


def test_stored_descriptors_are_not_computed_again(tmp_path, run, monkeypatch):
    faces = faceset(tmp_path / "faces", [picture(seed) for seed in range(3)])
    first = CopyMatcher().extract(faces, run, views=True)
    assert first.rows_NVD.shape == (3, 40, 512)
    monkeypatch.setattr("anonderm.embeddings.near_duplicates.edge_histograms.edges", None)
    assert np.array_equal(CopyMatcher().extract(faces, run, views=True).rows_NVD, first.rows_NVD)


def test_the_edges_of_a_mirrored_picture_are_those_of_the_picture_mirrored():
    grey = picture(3).mean(axis=2, dtype=np.float32)[::2, ::2]
    expected = edges(np.ascontiguousarray(grey[:, ::-1]))
    assert np.allclose(mirrored(edges(grey)[None])[0], expected, atol=1e-6)
    assert not np.allclose(edges(grey), expected, atol=1e-2)
