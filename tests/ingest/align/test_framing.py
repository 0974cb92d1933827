import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.affine import map_lesions, map_points
from anonderm.core.records import Lesion
from anonderm.ingest.align.framing import (
    FacePoints,
    Square,
    centre_square,
    cut,
    cut_mask,
    ffhq_square,
    whole_square,
)

UPRIGHT = FacePoints((150.0, 200.0), (250.0, 200.0), (200.0, 300.0))


def moved(points, angle, scale, shift):
    """The points turned, scaled and shifted."""
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    points_32 = points.points_32 @ np.array([[cos, sin], [-sin, cos]]) + shift
    return FacePoints(*(tuple(point) for point in points_32))


def test_an_upright_face_gets_the_published_square():
    square = ffhq_square(UPRIGHT)
    assert square.centre == pytest.approx((200, 210))  # 0.1 of the way from the eyes down to the mouth
    assert square.side == pytest.approx(400)  # 4 x the distance between the eyes


def test_a_long_face_is_sized_by_eyes_and_mouth():
    assert ffhq_square(FacePoints((150, 200), (250, 200), (200, 400))).side == pytest.approx(3.6 * 200)


@given(
    angle=st.floats(-math.pi, math.pi),
    scale=st.floats(0.1, 10),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_faces_are_at_the_same_place_whatever_their_pose_in_the_photo(angle, scale, shift):
    standing = moved(UPRIGHT, angle, scale, shift)
    there = map_points(standing.points_32, ffhq_square(standing).onto(256))
    assert np.allclose(there, map_points(UPRIGHT.points_32, ffhq_square(UPRIGHT).onto(256)), atol=1e-6)


def test_a_mouth_aside_turns_the_square_half_as_far():
    """The axis is x - rotate90(y), here of equal lengths: half of the mouth's turn."""
    turn = 0.2
    mouth = (200 - 100 * math.sin(turn), 200 + 100 * math.cos(turn))
    right = ffhq_square(FacePoints((150, 200), (250, 200), mouth)).right
    assert math.atan2(right[1], right[0]) == pytest.approx(turn / 2)


def ramps(height, width):
    """A photo whose red rises by 1 a pixel to the right and green by 1 a pixel down."""
    y_HW, x_HW = np.mgrid[:height, :width]
    return np.stack([x_HW, y_HW, np.full_like(x_HW, 90)], axis=2).astype(np.uint8)


@pytest.mark.parametrize(("side", "size"), [(60.0, 120), (100.0, 40), (97.3, 31)])
def test_a_pixel_of_the_picture_shows_its_place_in_the_photo(side, size):
    square = Square((120.0, 100.0), (side / 2 * math.cos(0.4), side / 2 * math.sin(0.4)))
    picture_SSC = cut(ramps(200, 240), square, size).astype(float)
    row, column = size // 3, size // 4
    back = np.linalg.inv(np.vstack([square.onto(size), (0, 0, 1)]))
    x, y, _ = back @ (column + 0.5, row + 0.5, 1)
    assert np.allclose(picture_SSC[row, column], (x - 0.5, y - 0.5, 90), atol=1.1)


def test_fine_patterns_become_grey_and_no_moire():
    photo_HWC = np.repeat((np.indices((512, 512)).sum(axis=0) % 2 * 255)[:, :, None], 3, axis=2).astype(
        np.uint8
    )
    picture = cut(photo_HWC, Square((256.0, 256.0), (180.0, 60.0)), 50)
    assert np.abs(picture.astype(float) - 127.5).max() < 4


def test_padding_outside_the_photo_is_mirrored_and_then_blurred():
    photo_HWC = np.zeros((200, 200, 3), np.uint8)
    photo_HWC[np.arange(200) % 8 < 4] = 255
    picture = cut(photo_HWC, Square((0.0, 100.0), (100.0, 0.0)), 200).astype(float)
    assert np.abs(picture[:, 100:] - photo_HWC[:, :100]).mean() < 20  # the photo, resampled
    assert picture[:, 98:100].std() > 80  # still stripes right beside it
    assert picture[20:180, :90].std() < 10  # blurred further away
    assert picture[20:180, :90].mean() == pytest.approx(127.5, abs=5)


def test_a_square_far_beyond_the_photo_still_gives_a_picture():
    picture = cut(ramps(30, 40), Square((500.0, -300.0), (20.0, 0.0)), 16)
    assert picture.shape == (16, 16, 3)


def test_boxes_and_masks_follow_the_picture():
    photo_HWC, mask_HW = np.zeros((300, 300, 3), np.uint8), np.zeros((300, 300), bool)
    photo_HWC[140:180, 100:130], mask_HW[140:180, 100:130] = 255, True
    square = Square((130.0, 150.0), (0.0, 80.0))  # turned by a right angle
    picture, mask = cut(photo_HWC, square, 96), cut_mask(mask_HW, square, 96)
    assert np.mean((picture[:, :, 0] > 127) != mask) < 0.01
    (lesion,), lost = map_lesions([Lesion("papule", 100, 140, 130, 180)], square.onto(96), (96, 96))
    rows, columns = np.nonzero(mask)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert (lesion.x0, lesion.y0, lesion.x1, lesion.y1) == pytest.approx(box, abs=1)
    assert lost == 0


def test_a_mask_ends_at_the_photos_edge():
    mask = cut_mask(np.ones((100, 100), bool), Square((0.0, 50.0), (50.0, 0.0)), 64)
    assert not mask[:, :32].any()
    assert mask[:, 33:].all()


def test_the_other_framings_take_the_centre_and_the_whole():
    photo_HWC = ramps(100, 200)
    assert np.array_equal(cut(photo_HWC, centre_square(200, 100), 100)[50, :, 0], np.arange(50, 150))
    whole = cut(photo_HWC, whole_square(200, 100), 200)
    assert np.abs(whole[60:140] - photo_HWC[10:90].astype(float)).max() <= 1
