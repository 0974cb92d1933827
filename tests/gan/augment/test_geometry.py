"""Flips and quarter turns move pixels exactly; look-ups have the strengths and frequencies of the paper."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from anonderm.gan.augment import geometry
from anonderm.gan.augment.draw import Draw
from anonderm.gan.batch_split import BatchShare

MANY = 20000


def _draw(p: float, count: int = MANY) -> Draw:
    return Draw(BatchShare.all(count), p, torch.Generator().manual_seed(0))


def _touched(value_N: Tensor, neutral: float) -> float:
    return float(((value_N - neutral).abs() > 1e-5).float().mean())


def _motions(image_3HW: Tensor) -> list[Tensor]:
    """The image and its mirror image, each turned four times; mirrored first."""
    return [start.rot90(k, (1, 2)) for start in (image_3HW, image_3HW.flip(2)) for k in range(4)]


@pytest.mark.parametrize("p", [1.0, 0.4])
def test_flips_and_quarter_turns_are_exact_and_have_probability_p(p: float) -> None:
    image = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1))
    turned = geometry.turn(image.expand(MANY, 3, 4, 4), _draw(p))
    found = (
        torch.stack([(turned == motion).all(dim=(1, 2, 3)) for motion in _motions(image)]).double().mean(1)
    )
    assert float(found.sum()) == pytest.approx(1)
    mirrored, turned_by_k = p / 2, p / 4
    upright = 1 - 3 * turned_by_k
    expected = [a * b for a in (1 - mirrored, mirrored) for b in (upright, *[turned_by_k] * 3)]
    assert found.tolist() == pytest.approx(expected, abs=0.015)


def test_a_flip_comes_before_a_turn() -> None:
    """Both at once, by hand: the order decides on which side a corner ends."""
    image = torch.zeros(1, 3, 2, 2)
    image[..., 0, 0] = 1
    outcomes = {
        tuple(x[0].flatten().tolist()) for x in geometry.turn(image.expand(200, 3, 2, 2), _draw(1, 200))
    }
    assert len(outcomes) == 4


def test_whole_translations_are_even_over_an_eighth_of_the_side() -> None:
    look_up_N23 = geometry.look_up(_draw(0.5), ("blit",), 64)
    pixels_N2 = look_up_N23[:, :, 2] * 32
    assert torch.equal(look_up_N23[:, :, :2], torch.eye(2).expand(MANY, 2, 2))
    assert torch.allclose(pixels_N2, pixels_N2.round(), atol=1e-5)
    assert float(pixels_N2.abs().max()) == 8
    assert _touched(pixels_N2.abs().sum(1), 0) == pytest.approx(0.5, abs=0.02)
    moved_M2 = pixels_N2[pixels_N2.abs().sum(1) > 0]
    assert float(moved_M2.square().mean().sqrt()) == pytest.approx(16 / math.sqrt(12), rel=0.03)


@pytest.mark.parametrize("p", [1.0, 0.3])
def test_scale_stretch_and_translation_have_the_papers_strength_and_frequency(p: float) -> None:
    look_up_N23 = geometry.look_up(_draw(p), ("geometry",), 64)
    linear_N22 = look_up_N23[:, :, :2]
    zoom_N = linear_N22.det().sqrt().log2()
    widths_N2 = torch.linalg.svdvals(linear_N22)
    stretch_N = (widths_N2[:, 0] / widths_N2[:, 1]).log2() / 2
    shift_N2 = torch.linalg.solve(linear_N22, look_up_N23[:, :, 2])
    for value, deviation in ((zoom_N, 0.2), (stretch_N, 0.2), (shift_N2[:, 0], 0.25), (shift_N2[:, 1], 0.25)):
        assert ((value.abs() > 1e-5).float().mean()).item() == pytest.approx(p, abs=0.015)
        assert float(value.square().mean().sqrt()) == pytest.approx(deviation * math.sqrt(p), rel=0.04)


def test_some_rotation_happens_with_probability_p() -> None:
    linear_N22 = geometry.look_up(_draw(0.3), ("geometry",), 64)[:, :, :2]
    gram_N22 = linear_N22.mT @ linear_N22
    plain = (gram_N22[:, 0, 0] - gram_N22[:, 1, 1]).abs() + gram_N22[:, 0, 1].abs() < 1e-5  # not stretched
    angle_M = torch.atan2(linear_N22[plain, 1, 0], linear_N22[plain, 0, 0])
    assert _touched(angle_M, 0) == pytest.approx(0.3, abs=0.015)
    turned_M = angle_M[angle_M.abs() > 1e-5]
    assert float(turned_M.square().mean().sqrt()) == pytest.approx(math.pi / math.sqrt(3), rel=0.03)


def test_the_linear_part_is_scale_then_rotation_then_stretch_then_rotation() -> None:
    values = torch.tensor([1.3, 0.4, 0.8, -1.1], dtype=torch.float64)
    zoom, before, stretch, after = values.tolist()

    def rotation(angle: float) -> Tensor:
        sin, cos = math.sin(angle), math.cos(angle)
        return torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)

    expected = zoom * rotation(before) @ torch.diag(torch.tensor([stretch, 1 / stretch]).double())
    result = geometry.linear(*values[:, None])[0]
    assert torch.allclose(result, expected @ rotation(after), atol=1e-6)
