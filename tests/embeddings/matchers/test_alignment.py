import cv2
import numpy as np
import pytest

from anonderm.core.affine import map_points
from anonderm.core.errors import InputError
from anonderm.embeddings.faces.detected import DetectedFace
from anonderm.embeddings.faces.dlib_detector import eyes_and_mouth
from anonderm.embeddings.matchers.alignment import SIDE, TEMPLATE_32, TEMPLATE_52, cut, similarity


def detected(eyes_and_mouth_32=None, five_52=None):
    if eyes_and_mouth_32 is None:
        eyes_and_mouth_32 = np.stack([*five_52[:2], five_52[3:].mean(axis=0)])
    return DetectedFace("dlib", (0, 0, 1, 1), 1.0, True, eyes_and_mouth_32, five_52, eyes_and_mouth_32)


def test_a_face_is_aligned_with_the_template_whatever_its_pose():
    """dlib's five points of an upright face, and of the same one turned, moved and twice as large."""
    upright = np.array([(160, 100), (130, 100), (70, 100), (100, 100), (115, 140)], float)
    turn = np.exp(0.4j)
    moved_N = (upright @ (1, 1j)) * 2 * turn + (300 - 90j)
    turned = np.stack([moved_N.real, moved_N.imag], axis=1)
    ends = []
    for points in (upright, turned):
        affine = similarity(eyes_and_mouth(points), TEMPLATE_32)
        ends.append(map_points(eyes_and_mouth(points), affine))
    assert ends[0] == pytest.approx(ends[1], abs=1e-9)
    assert np.abs(ends[0] - TEMPLATE_32).max() < 6  # faces differ in their proportions


def test_the_cut_shows_the_eyes_where_the_template_has_them():
    picture = np.zeros((240, 300, 3), np.uint8)
    eyes = np.array([(180, 100), (150, 100), (90, 100), (120, 100)], float)
    picture[95:105, 160:170] = 255
    picture[95:105, 100:110] = 255
    shown = cut(picture, detected(eyes_and_mouth(np.vstack([eyes, (135, 138)]))))
    rows, columns = np.nonzero(shown[:, :, 0] > 127)
    left, right = columns < 56, columns > 56
    found = np.array([[columns[left].mean(), rows[left].mean()], [columns[right].mean(), rows[right].mean()]])
    assert np.abs(found - TEMPLATE_32[:2]).max() < 2.5


def test_a_similarity_is_exact_where_one_exists():
    points = np.array([(0, 0), (4, 0), (1, 3)], float)
    affine = similarity(points, points @ np.array([[0, 2], [-2, 0]]) + (5, -1))
    assert affine == pytest.approx(np.array([[0, -2, 5], [2, 0, -1]]), abs=1e-12)


def test_landmarks_that_coincide_are_refused():
    with pytest.raises(InputError, match="coincide"):
        similarity(np.ones((5, 2)), TEMPLATE_52)


@pytest.mark.parametrize("scale", [0.8, 1.9])
def test_five_points_align_as_opencv_aligns_for_its_own_recogniser(scale, sface_network):
    """OpenCV's alignCrop, by another algorithm, from the row that its detector gives."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)
    photo_HWC = cv2.resize(noise, (400, 480), interpolation=cv2.INTER_CUBIC)
    turn = scale * np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
    spread = np.random.default_rng(1).normal(0, 3, (5, 2))
    five_52 = (TEMPLATE_52 - SIDE / 2) @ turn + (200, 230) + spread
    row = np.concatenate([[0, 0, 1, 1], five_52.ravel(), [1]]).astype(np.float32)
    expected = cv2.FaceRecognizerSF.create(str(sface_network.path), "").alignCrop(photo_HWC, row[None])
    found = cut(photo_HWC, detected(five_52=five_52 + 0.5))
    assert np.abs(found.astype(int) - expected).max() <= 3


def test_a_large_face_is_shrunk_before_it_is_cut():
    """A board of single black and white pixels becomes grey, and not a pattern of sampled ones."""
    board = np.indices((1200, 1200)).sum(axis=0) % 2 * 255
    photo = np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8)
    shown = cut(photo, detected(five_52=TEMPLATE_52 * 9 + 60))
    assert np.abs(shown[20:90, 20:90].astype(int) - 127).max() < 12
