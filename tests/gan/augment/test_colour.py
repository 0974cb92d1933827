"""Colour against the paper's product of 4 x 4 matrices, and its strengths and frequencies."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from anonderm.gan.augment.colour import colour_matrix, transform_colours
from anonderm.gan.augment.draw import Draw
from anonderm.gan.batch_split import BatchShare

MANY = 20000


def _paper(brightness: float, contrast: float, flip: bool, hue: float, saturation: float) -> Tensor:
    """Appendix B, one step after the other, in homogeneous coordinates."""
    unit = torch.eye(4, dtype=torch.float64)
    axis = torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64) / math.sqrt(3)
    along = torch.outer(axis, axis)
    step = unit.clone()
    step[:3, 3] = brightness
    matrix = torch.diag(torch.tensor([contrast, contrast, contrast, 1.0]).double()) @ step
    matrix = (unit - 2 * along * flip) @ matrix
    cross = torch.zeros(4, 4, dtype=torch.float64)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross[i, j], cross[j, i] = -axis[k], axis[k]
    rotation = torch.linalg.matrix_exp(hue * cross)
    return (along + (unit - along) * saturation + 0 * unit) @ rotation @ matrix


@pytest.mark.parametrize(
    "values",
    [
        (0.2, 1.0, False, 0.0, 1.0),
        (0.0, 1.4, True, 0.0, 1.0),
        (-0.1, 0.7, True, 2.1, 0.4),
        (0.3, 1, False, -1, 3),
    ],
)
def test_the_transformation_is_the_papers_product(values: tuple[float, float, bool, float, float]) -> None:
    brightness, contrast, flip, hue, saturation = values
    signed = (brightness, contrast, -1.0 if flip else 1.0, hue, saturation)
    result = colour_matrix(*(torch.tensor([value], dtype=torch.float64) for value in signed))[0]
    assert torch.allclose(result, _paper(*values)[:3], atol=1e-6)


def test_hue_keeps_luma_and_length() -> None:
    hue = torch.tensor([0.7, -2.0])
    matrix = colour_matrix(0 * hue, hue**0, hue**0, hue, hue**0)[:, :, :3]
    assert torch.allclose(matrix @ matrix.mT, torch.eye(3).expand(2, 3, 3), atol=1e-6)
    assert torch.allclose(matrix @ torch.ones(3), torch.ones(2, 3), atol=1e-6)


@pytest.mark.parametrize("p", [1.0, 0.3])
def test_strengths_and_frequencies_are_those_of_the_paper(p: float) -> None:
    """Black, and a pure chroma, of which the tinted colours give each drawn value back."""
    draw = Draw(BatchShare.all(MANY), p, torch.Generator().manual_seed(0))
    chroma = torch.tensor([1.0, -1.0, 0.0])
    colours_N3P = torch.stack([torch.zeros(3), torch.ones(3), chroma], dim=1).expand(MANY, 3, 3)
    black, white, tinted = transform_colours(colours_N3P[..., None], draw)[..., 0].unbind(2)
    luma_gain = (white - black)[:, 0]
    contrast, brightness = luma_gain.abs(), black[:, 0] / luma_gain
    turned = (tinted - black) / math.sqrt(2)
    saturation = turned.norm(dim=1) / contrast
    hue = torch.atan2(
        (turned @ torch.tensor([1.0, 1.0, -2.0])) / math.sqrt(6), turned @ chroma / math.sqrt(2)
    )
    measured = (
        (brightness, 0.2, p),
        (contrast.log2(), 0.5, p),
        (luma_gain.sign() - 1, math.sqrt(2), p / 2),
        (hue, math.pi / math.sqrt(3), p),
        (saturation.log2(), 1.0, p),
    )
    for value_N, strength, frequency in measured:
        assert float((value_N.abs() > 1e-4).float().mean()) == pytest.approx(frequency, abs=0.02)
        expected = strength * math.sqrt(p)
        assert float(value_N.square().mean().sqrt()) == pytest.approx(expected, rel=0.04)
    assert torch.allclose(black, black[:, :1].expand(-1, 3), atol=1e-5)
