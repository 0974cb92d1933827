"""Which faces are described, with the means of a picture in place of dlib's network."""

from __future__ import annotations

import numpy as np
import pytest

from anonderm.audit.config import AuditConfig
from anonderm.core import progress
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image, resize
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.embeddings.matchers.matcher import IdentityMatcher
from anonderm.embeddings.matchers.registry import make_matcher
from anonderm.metrics.pairwise import distances

described = []


def describer():
    def describe(face_HWC):
        described.append(face_HWC)
        halves = face_HWC[:, :4].mean(), face_HWC[:, 4:].mean()
        return (np.array(halves, np.float32), "dlib") if face_HWC.any() else None

    return describe


@pytest.fixture
def matcher():
    described.clear()
    return IdentityMatcher("means", "0" * 64, 2, 0.5, describer)


@pytest.fixture
def run(tmp_path):
    with RunDir.open(tmp_path / "run", "audit", AuditConfig(), {}) as opened:
        yield opened


@pytest.fixture
def faces(tmp_path) -> FaceSet:
    """Dark on the left; grey; and one without a face."""
    writer = FaceSetWriter(tmp_path / "faces")
    for number, (left, right) in enumerate([(10, 200), (90, 90), (0, 0)]):
        image = np.zeros((8, 8, 3), np.uint8)
        image[:, :4], image[:, 4:] = left, right
        writer.add(image, Face(f"f{number}"))
    return writer.finish()


def test_views_are_the_face_and_its_mirror_image(matcher, faces, run):
    found = matcher.extract(faces, run, views=True)
    assert found.rows_NVD[0].tolist() == [[10, 200], [200, 10]]
    assert found.enrolled_N.tolist() == [True, True, False]


class InMemory:
    def __init__(self, image):
        self._image = image

    def read(self):
        return self._image.tobytes()

    def pixels(self):
        return self._image


def test_every_photo_has_a_row_and_the_detector_that_found_its_face(matcher):
    images = [np.full((8, 8, 3), level, np.uint8) for level in (40, 0, 70)]
    for _ in range(2):  # computed, and from the store
        with progress.bar("describing", 3) as bar:
            found = matcher.describe([InMemory(image) for image in images], bar)
        assert found.detectors == ("dlib", None, "dlib")
        assert found.rows_ND[[0, 2]].tolist() == [[40, 40], [70, 70]]
        assert np.isnan(found.rows_ND[1]).all()
    assert len(described) == 3


def test_no_face_is_described_twice_not_even_in_another_part_of_the_set(matcher, faces, run):
    matcher.extract(faces, run)
    assert len(described) == 3
    matcher.extract(FaceSet(faces.folder, faces.faces[1:]), run)
    assert len(described) == 3
    matcher.extract(faces, run, views=True)
    assert len(described) == 6


def test_another_network_describes_again(matcher, faces, run):
    matcher.extract(faces, run)
    IdentityMatcher("means", "1" * 64, 2, 0.5, describer).extract(faces, run)
    assert len(described) == 6


def test_a_set_without_faces_has_no_rows(matcher, faces, run):
    assert matcher.extract(FaceSet(faces.folder, ()), run).rows_NVD.shape == (0, 1, 2)


def test_dlib_recognises_one_person_and_separates_two(shared_data, tmp_path, run):
    pytest.importorskip("dlib")
    writer = FaceSetWriter(tmp_path / "people")
    for name in ("001_neutral", "001_smiling", "002_neutral"):
        writer.add(resize(read_image(shared_data / "pairs" / f"{name}.jpg")[:768, :768], 384), Face(name))
    people = writer.finish()
    found = make_matcher("dlib").extract(people, run)
    table = distances(found, found)
    assert found.enrolled_N.all()
    assert table[0, 1] < 0.5 < 0.65 < table[0, 2]
