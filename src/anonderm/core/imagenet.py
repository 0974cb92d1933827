"""Pixel normalisation of networks that were trained on ImageNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Of red, green and blue in 0..1.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normalised(x_NCHW: Tensor) -> Tensor:
    """RGB in 0..1, normalised by ImageNet's means and standard deviations."""
    import torch

    mean_C11, std_C11 = (torch.tensor(each).to(x_NCHW).view(3, 1, 1) for each in (MEAN, STD))
    return (x_NCHW - mean_C11) / std_C11
