"""Conventional augmentation of a batch: mirror, rotation, translation, zoom, brightness."""

# N faces, C channels, H x W pixels

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.classify.config import TrainClassifierConfig
from anonderm.models.classifier.batch_shard import BatchShard


def augment(
    pixels_NCHW: Tensor,
    config: TrainClassifierConfig,
    generator: torch.Generator,
    shard: BatchShard | None = None,
) -> Tensor:
    """Move and darken each face by random amounts of its own; pixels stay in 0..1.

    shard: random numbers are drawn for the whole batch, and the faces are the rows of this shard.

    Source: AcneGAN (Zein et al. 2024) trains its classifiers with flips, rotation and brightness 0.6-1; the
    skin-filtered one (Quattrini et al. 2022) with flips, rotation, translation, zoom and brightness.
    """
    count, rows = (shard.batch_size, shard.rows) if shard else (len(pixels_NCHW), slice(None))
    draws_6N = torch.rand(6, count, generator=generator, device=generator.device)[:, rows]
    mirror_N, angle_N, light_N, right_N, down_N, zoom_N = draws_6N.to(pixels_NCHW.device)
    sign_N = torch.where((mirror_N < 0.5) & config.flip, -1.0, 1.0)
    angle_N = (2 * angle_N - 1) * math.radians(config.rotation)
    shift_N2 = (2 * torch.stack([right_N, down_N], dim=1) - 1) * config.translation
    scale_N = (1 + config.zoom) ** (2 * zoom_N - 1)  # a factor and its inverse are equally probable
    low, high = config.brightness
    brightness_N = low + (high - low) * light_N
    moved_NCHW = move(pixels_NCHW, angle_N, sign_N, shift_N2, scale_N)
    return (moved_NCHW * brightness_N.view(-1, 1, 1, 1)).clamp(0, 1)


def move(pixels_NCHW: Tensor, angle_N: Tensor, sign_N: Tensor, shift_N2: Tensor, scale_N: Tensor) -> Tensor:
    """Mirror each face where `sign_N` is -1, scale it by `scale_N`, rotate it about its centre by `angle_N`
    radians, and shift it by `shift_N2` (right, down) as shares of its side; edges are reflected.
    """
    cos_N, sin_N = angle_N.cos() / scale_N, angle_N.sin() / scale_N
    # affine_grid expects the inverse map, from the result to the face, in coordinates where a side is 2 long.
    inverse_N22 = torch.stack(
        [torch.stack([sign_N * cos_N, -sign_N * sin_N], dim=1), torch.stack([sin_N, cos_N], dim=1)], dim=1
    )
    affine_N23 = torch.cat([inverse_N22, -2 * inverse_N22 @ shift_N2[:, :, None]], dim=2)
    grid_NHW2 = F.affine_grid(affine_N23, list(pixels_NCHW.shape), align_corners=False)
    return F.grid_sample(pixels_NCHW, grid_NHW2, padding_mode="reflection", align_corners=False)
