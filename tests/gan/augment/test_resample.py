"""Resampling against analytic images, its adjoint and derivatives, and what keeps its memory small."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from anonderm.gan.augment import resample as module
from anonderm.gan.augment.resample import SYM6, resample

STILL = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
HALF_TURN = torch.tensor([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
TILTED = torch.tensor([[0.7, -0.4, 0.3], [0.5, 0.9, -0.2]])
FAR = torch.tensor([[1.1, 0.6, 1.4], [-0.6, 1.1, -0.9]])


def _noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


def _smooth(x_HW: Tensor, y_HW: Tensor) -> Tensor:
    """An image as a function of the plane -1..1 that is its own mirror image at every edge."""
    waves = ((1, 2), (3, 0), (2, 3))
    channels = [(math.pi / 2 * a * (x_HW + 1)).cos() * (math.pi / 2 * b * (y_HW + 1)).cos() for a, b in waves]
    return torch.stack(channels)[None]


def _plane(size: int) -> tuple[Tensor, Tensor]:
    place = (torch.arange(size) * 2 + 1) / size - 1
    y_HW, x_HW = torch.meshgrid(place, place, indexing="ij")
    return x_HW, y_HW


def test_the_wavelet_is_orthogonal_with_six_vanishing_moments() -> None:
    taps = torch.tensor(SYM6, dtype=torch.float64)
    assert float(taps.sum()) == pytest.approx(math.sqrt(2), abs=1e-10)
    for lag in range(0, 12, 2):
        assert float((taps[lag:] * taps[: 12 - lag]).sum()) == pytest.approx(float(lag == 0), abs=1e-10)
    place = torch.arange(12).double()
    for power in range(6):
        assert float((taps * (-1) ** place * (place / 12) ** power).sum()) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("size", [8, 64, 128, 512])
def test_the_identity_changes_nothing(size: int) -> None:
    images = _noise(1, 3, size, size)
    assert torch.allclose(resample(images, STILL[None]), images, atol=1e-6)


def test_whole_pixels_move_exactly() -> None:
    images = _noise(1, 3, 64, 64)
    moved = resample(images, (STILL + torch.tensor([[0, 0, 2 * 5 / 64], [0, 0, -2 * 3 / 64]]))[None])
    assert torch.allclose(moved[..., 16:48, 16:48], images[..., 13:45, 21:53], atol=1e-5)


@pytest.mark.parametrize("look_up", [HALF_TURN, TILTED, FAR], ids=["half turn", "tilted", "far"])
def test_a_smooth_image_is_sampled_at_the_look_up_and_mirrored_beyond_its_edges(look_up: Tensor) -> None:
    """To a twentieth of a pixel inside, half a pixel beyond; the waves rise by 0.15 a pixel."""
    x_HW, y_HW = _plane(64)
    (xx, xy, x0), (yx, yy, y0) = look_up.tolist()
    from_x_HW, from_y_HW = xx * x_HW + xy * y_HW + x0, yx * x_HW + yy * y_HW + y0
    error = (resample(_smooth(x_HW, y_HW), look_up[None]) - _smooth(from_x_HW, from_y_HW)).abs()[0].amax(0)
    inside_HW = torch.maximum(from_x_HW.abs(), from_y_HW.abs()) < 0.85
    inside_HW[[*range(4), *range(-4, 0)]] = inside_HW[:, [*range(4), *range(-4, 0)]] = False
    assert int(inside_HW.sum()) > 50
    assert float(error[inside_HW].max()) < 0.008
    assert float(error.max()) < 0.08


def test_detail_that_shrinking_makes_too_fine_vanishes() -> None:
    """Stripes at 0.9 of the finest frequency, at half the size; a bilinear look-up keeps an alias of them."""
    stripes = (torch.arange(64) * 0.9 * math.pi).cos().expand(1, 3, 64, 64).contiguous()
    half = resample(stripes, 2 * STILL[None])
    assert float(half[..., 20:44, 20:44].square().mean().sqrt()) < 0.05
    grid = torch.nn.functional.affine_grid(2 * STILL[None], [1, 3, 64, 64], align_corners=False)
    aliased = torch.nn.functional.grid_sample(stripes, grid, padding_mode="reflection", align_corners=False)
    assert float(aliased[..., 20:44, 20:44].square().mean().sqrt()) > 0.1


def test_the_resampling_is_twice_differentiable() -> None:
    images = _noise(2, 1, 8, 8).requires_grad_()
    look_up = torch.stack([TILTED, FAR])
    assert gradcheck(lambda x: resample(x, look_up).tanh(), (images,))
    assert gradgradcheck(lambda x: resample(x, look_up).tanh(), (images,))


@pytest.mark.parametrize("size", [16, 128])
def test_backward_is_the_adjoint_and_its_backward_the_resampling_again(size: int) -> None:
    x, y = _noise(2, 3, size, size).requires_grad_(), _noise(2, 3, size, size).flip(0).requires_grad_()
    look_up = torch.stack([TILTED, FAR])
    moved = resample(x, look_up)
    (back,) = torch.autograd.grad(moved, x, y, create_graph=True)
    assert (back * x).sum().item() == pytest.approx((moved * y).sum().item(), rel=1e-9)
    (again,) = torch.autograd.grad(back, y, x)
    assert torch.allclose(again, moved, atol=1e-12)


def test_images_in_parts_equal_images_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images, look_up = _noise(5, 3, 16, 16), TILTED.expand(5, 2, 3)
    at_once = resample(images, look_up)
    monkeypatch.setattr(module, "_CHUNK", 2 * 32**2)
    assert torch.equal(resample(images, look_up), at_once)
