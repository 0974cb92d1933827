import importlib.util

import numpy as np
import pytest

from anonderm.core.affine import map_points
from anonderm.core.errors import InputError, MissingExtra
from anonderm.core.images import read_image, resize
from anonderm.embeddings.faces.detected import rotated_back
from anonderm.embeddings.faces.dlib_detector import FIVE_POINTS, DlibFaces, load_dlib, model_path


@pytest.mark.parametrize("turns", range(4))
def test_a_point_of_a_rotated_picture_maps_back_to_the_original(turns):
    picture_HW = np.zeros((20, 30), bool)
    picture_HW[3, 8] = True
    turned_HW = np.rot90(picture_HW, turns)
    row, column = np.argwhere(turned_HW)[0]
    back = map_points(np.array([[column + 0.5, row + 0.5]]), rotated_back(turned_HW.shape, turns))
    assert np.allclose(back, [[8.5, 3.5]])


def test_models_that_are_not_installed_are_named_with_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"anonderm\[faces\]"):
        model_path(FIVE_POINTS)


def test_dlib_that_is_not_installed_is_named_with_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dlib", None)
    with pytest.raises(MissingExtra, match="dlib"):
        load_dlib()


def test_a_file_that_is_no_predictor_is_an_error(tmp_path):
    pytest.importorskip("dlib")
    (tmp_path / "points.dat").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"points\.dat"):
        DlibFaces(tmp_path / "points.dat")


@pytest.fixture(scope="module")
def finder():
    pytest.importorskip("dlib")
    return DlibFaces()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photo_stored_on_its_side_gives_the_same_points(finder, shared_data, turns):
    photo_HWC = read_image(shared_data / "portraits" / "female_20.jpg")
    upright, turned = finder.find(photo_HWC)[0], finder.find(np.rot90(photo_HWC, turns))[0]
    back_N2 = map_points(turned.points_N2, rotated_back(np.rot90(photo_HWC, turns).shape, turns))
    assert np.abs(back_N2 - upright.points_N2).max() < 5  # the photo has 1024 pixels


def test_a_small_face_beside_a_large_one_is_found_where_every_face_is_wanted(finder, shared_data):
    large_HWC, small_HWC = (
        resize(read_image(shared_data / "pairs" / f"{name}_neutral.jpg"), side)
        for name, side in (("001", 800), ("002", 300))
    )
    photo_HWC = np.full((800, 1300, 3), 128, np.uint8)
    photo_HWC[:, :800], photo_HWC[200:500, 830:1130] = large_HWC, small_HWC
    assert len(finder.find(photo_HWC)) == 1
    assert len(DlibFaces(every=True).find(photo_HWC)) == 2


def test_half_a_face_is_found_where_parts_are_wanted(finder, shared_data):
    photo_HWC = read_image(shared_data / "pairs" / "001_neutral.jpg")
    (whole,) = finder.find(photo_HWC)
    left, top, right, bottom = (round(side) for side in whole.box_4)
    nose, eyes = round(whole.points_N2[4, 0]), np.hypot(*np.subtract(*whole.eyes_and_mouth_32[:2]))
    half_HWC = np.ascontiguousarray(photo_HWC[top - 80 : bottom + 60, nose - right + left : nose])
    assert finder.find(half_HWC) == []
    (found,) = DlibFaces(parts=True).find(half_HWC)
    back = np.array([nose - right + left, top - 80])
    assert np.abs(found.eyes_and_mouth_32 + back - whole.eyes_and_mouth_32).max() < 0.3 * eyes


def test_a_picture_without_a_face_has_none(finder):
    noise_HWC = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    assert finder.find(noise_HWC) == []
