from __future__ import annotations

import numpy as np
import pytest

from anonderm.audit.plants import CHANGES, plant
from anonderm.core.images import resize


def pictures(count: int) -> np.ndarray:
    small = np.random.default_rng(0).integers(40, 200, (count, 6, 6, 3), dtype=np.uint8)
    return np.stack([resize(image, 64) for image in small])


@pytest.mark.parametrize("change", CHANGES)
def test_a_plant_keeps_size_and_order_and_stays_like_its_original(change: str):
    images = pictures(3)
    planted = plant(images, change)
    assert planted.shape == images.shape
    assert planted.dtype == np.uint8
    turned = planted[:, :, ::-1] if change == "flip" else planted
    gaps = [[np.abs(a.astype(int) - b).mean() for b in images] for a in turned]
    assert np.argmin(gaps, axis=1).tolist() == [0, 1, 2]


def test_only_the_exact_copy_equals_its_original():
    images = pictures(2)
    equal = {change for change in CHANGES if np.array_equal(plant(images, change), images)}
    assert equal == {"exact"}
