"""The published losses of BiSeNet: three heads, each compared with the same labels."""

# N photos, K classes, H x W pixels

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.metrics.confusion import IGNORED

_HARD = -math.log(0.7)  # a pixel is hard where its class has less than 0.7 of the probability
_MIN_SHARE = 16  # at least one pixel in 16 counts


def joint_loss(heads: tuple[Tensor, ...], labels_NHW: Tensor, ohem: bool) -> Tensor:
    """The sum over main and auxiliary heads (Yu et al. 2018, eq. 2 with alpha = 1); heads [N, K, H, W]."""
    loss = hardest_pixels if ohem else partial(F.cross_entropy, ignore_index=IGNORED)
    return torch.stack([loss(logits_NKHW, labels_NHW) for logits_NKHW in heads]).sum()


def hardest_pixels(logits_NKHW: Tensor, labels_NHW: Tensor) -> Tensor:
    """Mean cross entropy of the hard pixels, but of at least a sixteenth of all pixels.

    Source: online hard example mining (Shrivastava et al. 2016), applied to pixels as in github
    zllrunning/face-parsing.PyTorch.
    """
    losses = F.cross_entropy(logits_NKHW, labels_NHW, ignore_index=IGNORED, reduction="none").flatten()
    least = max(1, losses.numel() // _MIN_SHARE)
    hard = losses[losses > _HARD]
    return hard.mean() if len(hard) > least else losses.topk(least).values.mean()
