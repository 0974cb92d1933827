from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from anonderm.audit.repeated_people import find_repeats, ids, own_threshold, sheet, strict_threshold
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.results.audit import Calibration
from anonderm.embeddings.calibration import Pairs, calibrate
from anonderm.embeddings.matchers.matcher import Templates

WIDTH = 64


def unrelated(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1 / np.sqrt(WIDTH), (count, WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    rows = unrelated(60, 1)
    one, two = np.triu_indices(60, 1)
    impostor = Pairs(np.linalg.norm(rows[one] - rows[two], axis=1).astype(float), np.stack([one, two], 1))
    genuine = Pairs(np.full(20, 0.1), np.repeat(np.arange(20)[:, None], 2, 1))
    return calibrate("m", genuine, impostor, "photos", (60, 60), np.random.default_rng(0))


def templates(rows: np.ndarray) -> Templates:
    return Templates.of(rows[:, None])


def test_unrelated_people_are_not_repeated(calibration):
    assert find_repeats(templates(unrelated(300)), calibration).groups_G == ()


def test_repeated_people_are_found_the_most_repeated_first(calibration):
    rows = unrelated(40)
    rows[[3, 7, 21]] = rows[3] + 0.2 * unrelated(3, 2)
    rows[[5, 6]] = rows[5] + 0.2 * unrelated(2, 3)
    found = find_repeats(templates(rows), calibration)
    assert found.groups_G == ((3, 7, 21), (5, 6))
    assert found.repeated == 5


def test_faces_that_are_not_enrolled_are_in_no_group(calibration):
    rows = np.zeros((4, WIDTH), np.float32)
    rows[1] = np.nan
    assert find_repeats(templates(rows), calibration).groups_G == ((0, 2, 3),)


def test_the_threshold_falls_as_pairs_grow(calibration):
    few, many = strict_threshold(calibration, 10), strict_threshold(calibration, 10_000)
    assert 0 < many < few <= calibration.threshold(0.001)


def test_similar_faces_are_separated_by_their_own_distances(calibration):
    rows = unrelated(1)[0] + 0.35 * unrelated(60, 5)
    rows[9] = rows[4] + 0.02 * unrelated(1, 6)[0]
    loose = 0.9 * 0.35 * np.sqrt(2)  # such a distance parts the people of a mixed set
    assert own_threshold(rows, loose) < 0.9 * loose
    assert own_threshold(unrelated(60), 0.5) == 0.5


def test_a_set_that_collapsed_to_one_person_is_one_group(calibration):
    rows = unrelated(1)[0] + 0.05 * unrelated(30, 5)
    assert own_threshold(rows, 0.5) == 0.5
    assert len(find_repeats(templates(rows), calibration).groups_G[0]) == 30


def test_without_a_threshold_nothing_is_searched(calibration):
    levels = tuple(dataclasses.replace(level, threshold=None) for level in calibration.levels)
    found = find_repeats(templates(np.zeros((3, 8))), dataclasses.replace(calibration, levels=levels))
    assert (found.threshold, found.groups_G) == (None, ())


def test_the_sheet_has_a_row_for_each_group(calibration, tmp_path):
    writer = FaceSetWriter(tmp_path / "faces")
    for number in range(5):
        writer.add(np.full((32, 32, 3), 40 * number, np.uint8), Face(f"s{number}"))
    faces: FaceSet = writer.finish()
    rows = unrelated(5)
    rows[4], rows[2] = rows[0], rows[1]
    found = find_repeats(templates(rows), calibration)
    assert ids(found, faces) == [["s0", "s4"], ["s1", "s2"]]
    picture = sheet(found, faces)
    assert (picture == 160).all(axis=2).sum() > 100**2  # the grey of s4
    assert not (picture == 120).all(axis=2).sum() > 100**2  # that of s3, who is alone
