"""Photo and labels always move together, and the same seed gives the same change."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.skin.conftest import disc

from anonderm.skin.augment import published, strong

SIZE, CROP = 64, 48


def batch(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Photos whose red is 1 on skin and 0 elsewhere."""
    labels = torch.from_numpy(disc(SIZE, SIZE, 0.3)).to(torch.uint8).expand(count, SIZE, SIZE)
    red = labels.float()[:, None]
    return torch.cat([red, torch.full((count, 2, SIZE, SIZE), 0.2)], dim=1), labels


@pytest.mark.parametrize("augment", [published, strong])
def test_the_same_seed_gives_the_same_change(augment):
    first, second = (augment(*batch(3), CROP, torch.Generator().manual_seed(5)) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    other, _ = augment(*batch(3), CROP, torch.Generator().manual_seed(6))
    assert not torch.equal(first[0], other)


@pytest.mark.parametrize("augment", [published, strong])
@settings(max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_photos_stay_photos_and_labels_labels(augment, seed):
    pixels, labels = augment(*batch(4), CROP, torch.Generator().manual_seed(seed))
    assert pixels.shape == (4, 3, CROP, CROP)
    assert labels.shape == (4, CROP, CROP)
    assert 0 <= pixels.min() <= pixels.max() <= 1
    assert set(labels.unique().tolist()) <= {0, 1}


def test_labels_stay_on_the_skin_they_name():
    pixels, labels = published(*batch(16), CROP, torch.Generator().manual_seed(1))
    # Colours are changed by one factor a photo, so that skin stays redder than the ground around it.
    for photo, label in zip(pixels, labels, strict=True):
        redness = photo[0] - photo[1]
        threshold = (redness.max() + redness.min()) / 2
        wrong = (redness > threshold) != (label == 1)
        assert wrong.float().mean() < 0.03
