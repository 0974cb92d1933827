"""The losses of generator and discriminator. N images, C x H x W pixels, L style layers, D size of w."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake_logit_N: Tensor) -> Tensor:
    """Non-saturating loss, -log D(fake). Source: Goodfellow et al. 2014, sec. 3."""
    return F.softplus(-fake_logit_N).mean()


def real_loss(real_logit_N: Tensor) -> Tensor:
    """-log D(real)."""
    return F.softplus(-real_logit_N).mean()


def fake_loss(fake_logit_N: Tensor) -> Tensor:
    """-log (1 - D(fake))."""
    return F.softplus(fake_logit_N).mean()


def r1_penalty(real_logit_N: Tensor, images_NCHW: Tensor) -> Tensor:
    """Squared norm of D's gradient at each real image, averaged; multiply by gamma / 2.

    Source: Mescheder et al. 2018, eq. 9.
    """
    (gradient_NCHW,) = torch.autograd.grad(real_logit_N.sum(), images_NCHW, create_graph=True)
    return gradient_NCHW.square().sum(dim=(1, 2, 3)).mean()


def path_lengths(images_NCHW: Tensor, w_NLD: Tensor, y_NCHW: Tensor) -> Tensor:
    """|J^T y| [N], the change of each image per step in w. The pixels of y are standard normal.

    Source: Karras et al. 2020 (StyleGAN2), sec. 3.2 and eq. 4.
    """
    y_NCHW = y_NCHW / math.sqrt(images_NCHW.shape[2] * images_NCHW.shape[3])
    (gradient_NLD,) = torch.autograd.grad((images_NCHW * y_NCHW).sum(), w_NLD, create_graph=True)
    return gradient_NLD.square().sum(dim=2).mean(dim=1).sqrt()
