"""Conventional augmentation of a batch: mirror, rotation, brightness.

Shapes: N faces, C channels, H x W pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.classify.config import TrainClassifierConfig


def augment(pixels_NCHW: Tensor, config: TrainClassifierConfig, generator: torch.Generator) -> Tensor:
    """Each face mirrored, turned and darkened by its own draw; pixels stay in 0..1.

    Source: AcneGAN (Zein et al. 2024) trains its classifiers with flips, rotation and brightness 0.6-1.
    """
    draws_3N = torch.rand(3, len(pixels_NCHW), generator=generator, device=generator.device)
    mirrored_N, turn_N, light_N = draws_3N.to(pixels_NCHW.device)
    sign_N = torch.where((mirrored_N < 0.5) & config.flip, -1.0, 1.0)
    angle_N = (2 * turn_N - 1) * math.radians(config.rotation)
    low, high = config.brightness
    factor_N = low + (high - low) * light_N
    return (move(pixels_NCHW, angle_N, sign_N) * factor_N.view(-1, 1, 1, 1)).clamp(0, 1)


def move(pixels_NCHW: Tensor, angle_N: Tensor, sign_N: Tensor) -> Tensor:
    """Turn each face about its centre by `angle_N` radians, and mirror it where `sign_N` is -1."""
    cos_N, sin_N, zero_N = angle_N.cos(), angle_N.sin(), torch.zeros_like(angle_N)
    rows_N23 = torch.stack(
        [
            torch.stack([sign_N * cos_N, -sign_N * sin_N, zero_N], dim=1),
            torch.stack([sin_N, cos_N, zero_N], dim=1),
        ],
        dim=1,
    )
    grid_NHW2 = F.affine_grid(rows_N23, list(pixels_NCHW.shape), align_corners=False)
    return F.grid_sample(pixels_NCHW, grid_NHW2, padding_mode="reflection", align_corners=False)
