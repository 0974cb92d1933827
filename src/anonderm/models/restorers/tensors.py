"""Conversion between stored pixels and network tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anonderm.core.images import Pixels


def from_pixels(images_NHWC: Pixels, device: str) -> Tensor:
    """uint8 [N, H, W, 3] -> float [N, 3, H, W] in 0..1."""
    tensor = torch.from_numpy(np.ascontiguousarray(images_NHWC)).to(device)
    return tensor.permute(0, 3, 1, 2).float() / 255


def to_pixels(images_NCHW: Tensor) -> Pixels:
    """float [N, 3, H, W] in 0..1, clipped -> uint8 [N, H, W, 3]."""
    rounded = (images_NCHW.clamp(0, 1) * 255).round().to(torch.uint8)
    return rounded.permute(0, 2, 3, 1).contiguous().cpu().numpy()
