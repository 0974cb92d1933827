"""The losses against their definitions."""

from __future__ import annotations

import math

import pytest
import torch

from anonderm.metrics.confusion import IGNORED
from anonderm.skin.loss import hardest_pixels, joint_loss


def sure(probabilities: list[float]) -> torch.Tensor:
    """Logits [1, 2, 1, W] whose class 1 has these probabilities."""
    p = torch.tensor(probabilities)
    return torch.stack([(1 - p).log(), p.log()])[None, :, None, :]


def test_only_hard_pixels_count():
    # Of 16 pixels two have less than 0.7 for their class, more than a sixteenth of all.
    logits = sure([0.5, 0.6] + [0.99] * 14)
    labels = torch.ones(1, 1, 16, dtype=torch.long)
    assert hardest_pixels(logits, labels).item() == pytest.approx((math.log(2) - math.log(0.6)) / 2, rel=1e-5)


def test_if_no_pixel_is_hard_the_worst_sixteenth_counts():
    logits = sure([0.8] + [0.99] * 15)
    labels = torch.ones(1, 1, 16, dtype=torch.long)
    assert hardest_pixels(logits, labels).item() == pytest.approx(-math.log(0.8), rel=1e-5)


def test_pixels_beyond_the_photo_teach_nothing():
    logits = sure([0.5, 0.2, 0.2, 0.2]).requires_grad_(True)
    labels = torch.tensor([[[1, IGNORED, IGNORED, IGNORED]]])
    loss = joint_loss((logits,), labels, ohem=False)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert logits.grad is not None
    assert torch.equal(logits.grad[..., 1:], torch.zeros(1, 2, 1, 3))


def test_every_head_counts_as_much():
    labels = torch.ones(1, 1, 2, dtype=torch.long)
    heads = (sure([0.5, 0.5]), sure([0.25, 0.25]), sure([0.125, 0.125]))
    assert joint_loss(heads, labels, ohem=False).item() == pytest.approx(6 * math.log(2))
