from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.records import Lesion
from anonderm.models.lesion_detector.tiles import corners, fit_tiles_and_anchors, is_cut, starts


@given(st.integers(1, 3000), st.integers(16, 700), st.floats(0, 0.5))
def test_tiles_cover_a_side_and_overlap_as_asked(length: int, tile: int, overlap: float) -> None:
    begins = starts(length, tile, overlap)
    assert begins[0] == 0
    assert begins[-1] + tile >= length
    shared = [before + tile - after for before, after in pairwise(begins)]
    assert all(each >= overlap * tile - 1 for each in shared)
    assert length <= tile or begins[-1] + tile == length, "no tile reaches beyond the picture"


def test_a_picture_no_larger_than_a_tile_takes_one() -> None:
    assert corners(100, 128, 128, 0.2) == [(0, 0)]
    assert corners(100, 256, 128, 0.0) == [(0, 0), (128, 0)]


def test_only_boxes_at_an_inner_edge_that_are_whole_in_the_neighbour_are_cut() -> None:
    boxes = torch.tensor(
        [[0.0, 10, 8, 18], [90, 10, 100, 20], [50, 50, 60, 60], [40, 92.0, 50, 100.0], [70, 40, 100, 50]]
    )
    cut = is_cut(boxes, corner=(0, 0), tile=100, overlap_px=20.0, size=(100, 180))
    assert cut.tolist() == [False, True, False, False, False]


def test_the_median_lesion_is_scaled_to_its_size_and_anchors_follow() -> None:
    lesions = [Lesion("papule", 10, 10, 10 + side, 10 + side) for side in (2.0, 4, 5, 6, 20)]
    tile, anchors = fit_tiles_and_anchors(lesions, max_tile=256, size=320, lesion_size=10)
    assert tile == 160
    flat = [side for level in anchors for side in level]
    assert flat == sorted(flat)
    assert flat[0] >= 4
    assert flat[-1] == pytest.approx(40)


def test_a_tile_is_never_larger_than_the_face() -> None:
    lesions = [Lesion("nodule", 0, 0, 60, 60)]
    assert fit_tiles_and_anchors(lesions, max_tile=256, size=320, lesion_size=10)[0] == 256
