"""Conventional augmentation of a batch: mirror, rotation, translation, zoom, brightness.

Shapes: N faces, C channels, H x W pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.classify.config import TrainClassifierConfig
from anonderm.models.classifier.batch_share import Part


def augment(
    pixels_NCHW: Tensor,
    config: TrainClassifierConfig,
    generator: torch.Generator,
    part: Part | None = None,
) -> Tensor:
    """Each face moved and darkened by its own draw; pixels stay in 0..1.

    part: draws are made for a whole batch, of which the faces are the rows of this part.

    Source: AcneGAN (Zein et al. 2024) trains its classifiers with flips, rotation and brightness 0.6-1; the
    skin-filtered one (Quattrini et al. 2022) with flips, rotation, translation, zoom and brightness.
    """
    count, rows = (part.whole, part.rows) if part else (len(pixels_NCHW), slice(None))
    draws_6N = torch.rand(6, count, generator=generator, device=generator.device)[:, rows]
    mirrored_N, turn_N, light_N, across_N, down_N, near_N = draws_6N.to(pixels_NCHW.device)
    sign_N = torch.where((mirrored_N < 0.5) & config.flip, -1.0, 1.0)
    angle_N = (2 * turn_N - 1) * math.radians(config.rotation)
    shift_N2 = (2 * torch.stack([across_N, down_N], dim=1) - 1) * config.translation
    # As much larger as smaller: a factor and its inverse are as likely.
    scale_N = (1 + config.zoom) ** (2 * near_N - 1)
    low, high = config.brightness
    factor_N = low + (high - low) * light_N
    moved_NCHW = move(pixels_NCHW, angle_N, sign_N, shift_N2, scale_N)
    return (moved_NCHW * factor_N.view(-1, 1, 1, 1)).clamp(0, 1)


def move(pixels_NCHW: Tensor, angle_N: Tensor, sign_N: Tensor, shift_N2: Tensor, scale_N: Tensor) -> Tensor:
    """Mirror each face where `sign_N` is -1, enlarge it `scale_N` times, turn it about its centre by
    `angle_N` radians, and move it by `shift_N2` (right, down) as shares of its side.

    What comes in from beyond the edges is the face's own mirror image.
    """
    cos_N, sin_N = angle_N.cos() / scale_N, angle_N.sin() / scale_N
    # affine_grid wants the way back, from a place in the result to one in the face; a side is 2 long.
    back_N22 = torch.stack(
        [torch.stack([sign_N * cos_N, -sign_N * sin_N], dim=1), torch.stack([sin_N, cos_N], dim=1)], dim=1
    )
    rows_N23 = torch.cat([back_N22, -2 * back_N22 @ shift_N2[:, :, None]], dim=2)
    grid_NHW2 = F.affine_grid(rows_N23, list(pixels_NCHW.shape), align_corners=False)
    return F.grid_sample(pixels_NCHW, grid_NHW2, padding_mode="reflection", align_corners=False)
