"""Augmentations that change how a photo was taken, but not whom it shows."""

# N images, C channels, H x W pixels, D features

import torch
from torch import Tensor
from torch.nn import functional


def augment(x_NCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Change background, framing, mirroring, focus, light and camera noise, so that none of them identifies.

    Strong enough to help with real photos; images in and out [N, 3, H, W] in -1..1.
    """
    count, _, height, width = x_NCHW.shape

    def normal(deviation: float, *shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator) * deviation

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator) * (high - low) + low

    # Photos of one person often share background and clothes: half of the faces get those of another photo.
    inside_HW = _face_oval(height, width)
    others_NCHW = x_NCHW[torch.randperm(count, generator=generator)]
    swap_NCHW = (uniform(-1.0, 1.0) > 0) * (1 - inside_HW)
    x_NCHW = x_NCHW + swap_NCHW * (others_NCHW - x_NCHW)

    angle_N, zoom_N = normal(0.07), torch.exp(normal(0.06))
    mirror_N = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cosine_N, sine_N = zoom_N * torch.cos(angle_N), zoom_N * torch.sin(angle_N)
    rows = (cosine_N * mirror_N, -sine_N, normal(0.05), sine_N * mirror_N, cosine_N, normal(0.05))
    grid_NHW2 = functional.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), [count, 3, height, width], False)
    x_NCHW = functional.grid_sample(x_NCHW, grid_NHW2, padding_mode="reflection", align_corners=False)

    soft_NCHW = functional.avg_pool2d(x_NCHW, 3, stride=1, padding=1, count_include_pad=False)
    x_NCHW = x_NCHW + uniform(-0.6, 1.0).clamp(min=0) * (soft_NCHW - x_NCHW)

    light_NCHW = (x_NCHW + 1) / 2 * torch.exp(normal(0.12, 1, 1, 1) + normal(0.05, 3, 1, 1))
    grey_NCHW = light_NCHW.mean(dim=1, keepdim=True)
    light_NCHW = grey_NCHW + uniform(0.5, 1.4) * (light_NCHW - grey_NCHW)
    middle_NCHW = light_NCHW.mean(dim=(1, 2, 3), keepdim=True)
    light_NCHW = middle_NCHW + uniform(0.7, 1.3) * (light_NCHW - middle_NCHW)
    noise_NCHW = uniform(0.0, 0.03) * torch.randn(x_NCHW.shape, generator=generator)
    return (light_NCHW + noise_NCHW).clamp(0, 1) * 2 - 1


def _face_oval(height: int, width: int) -> Tensor:
    """1 on an aligned face, falling smoothly to 0 around it, [H, W]."""
    down_H, right_W = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    radius_HW = torch.sqrt((down_H[:, None] / 0.85) ** 2 + (right_W[None, :] / 0.65) ** 2)
    return ((1.1 - radius_HW) / 0.2).clamp(0, 1)
