"""Noise and cutouts have the right strength, size and frequency."""

from __future__ import annotations

import pytest
import torch

from anonderm.gan.augment.draw import Draw
from anonderm.gan.augment.pipeline import add_noise, cut_out
from anonderm.gan.batch_split import BatchShare

MANY = 4000


def _draw(p: float) -> Draw:
    return Draw(BatchShare.all(MANY), p, torch.Generator().manual_seed(0))


def test_noise_has_a_half_normal_strength_in_the_images_it_touches() -> None:
    noise = add_noise(torch.zeros(MANY, 3, 8, 8), _draw(0.4))
    strength_N = noise.flatten(1).std(1)
    touched_N = strength_N > 0
    assert float(touched_N.float().mean()) == pytest.approx(0.4, abs=0.03)
    assert float(strength_N[touched_N].square().mean().sqrt()) == pytest.approx(0.1, rel=0.06)
    assert float(strength_N[touched_N].mean()) == pytest.approx(0.1 * (2 / torch.pi) ** 0.5, rel=0.06)
    assert abs(float((noise[:, 0] * noise[:, 1]).mean())) < 2e-4


def test_a_cutout_is_a_grey_square_of_half_the_side() -> None:
    images = torch.ones(MANY, 3, 16, 16)
    hole = cut_out(images, _draw(0.4)) == 0
    assert torch.equal(hole[:, 0], hole[:, 1])
    rows_N, columns_N = hole[:, 0].any(2).sum(1), hole[:, 0].any(1).sum(1)
    assert torch.equal(hole[:, 0].sum((1, 2)), rows_N * columns_N)
    touched_N = rows_N > 0
    assert float(touched_N.float().mean()) == pytest.approx(0.4, abs=0.03)
    assert (int(rows_N[touched_N].min()), int(rows_N.max()), int(columns_N.max())) == (4, 8, 8)
    # Of a box of half the side around an even place, 7 / 8 of each side lie inside on average.
    assert float(rows_N[touched_N].double().mean()) == pytest.approx(7, abs=0.1)


def test_the_rest_of_a_cut_image_is_untouched() -> None:
    images = torch.rand(MANY, 3, 8, 8, generator=torch.Generator().manual_seed(1)) + 1
    result = cut_out(images, _draw(0.5))
    assert bool(((result == images) | (result == 0)).all())
