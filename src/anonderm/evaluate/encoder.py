"""The phantom encoder: a small network that was shown drawn faces only, and turns a face into 128 numbers.

It learns from the truth that comes with a drawn face: who it is (photos of one person lie close together),
how dark the skin is, how severe the condition is and how many lesions of each kind there are.
"""

# N images, C channels, H x W pixels, D features, K lesion kinds, L labels, P people of a batch, V photos of each

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import BrokenArtefact, Diverged, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels
from anonderm.core.records import LESION_KINDS
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import EncoderConfig

RESOLUTION = 64
FEATURES = 128
_WIDTHS = (24, 48, 96, 144)
_ITA_SCALE = 50.0  # degrees; brings the target to about -1..1


class Encoder(nn.Module):
    """Images [N, 3, 64, 64] in -1..1 to embeddings [N, 128] of length sqrt(128): the unit of a feature is 1."""

    def __init__(self) -> None:
        super().__init__()
        stem = [nn.Conv2d(3, _WIDTHS[0], 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(_WIDTHS[0])]
        stages: list[nn.Module] = [*stem, nn.ReLU(), _Residual(_WIDTHS[0])]
        for narrow, wide in zip(_WIDTHS, _WIDTHS[1:], strict=False):
            stages += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide)]
            stages += [nn.ReLU(), _Residual(wide)]
        # Where something lies matters to who it is, so the 4 x 4 positions are kept apart to the end.
        stages += [nn.Conv2d(_WIDTHS[-1], 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten()]
        self.body = nn.Sequential(*stages, nn.Linear(32 * 4 * 4, FEATURES))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return functional.normalize(self.body(x_NCHW), dim=1) * math.sqrt(FEATURES)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        inner_NCHW = functional.relu(self.first_norm(self.first(x_NCHW)))
        return functional.relu(x_NCHW + self.second_norm(self.second(inner_NCHW)))


def embedder(checkpoint: Checkpoint) -> Callable[[Pixels], NDArray[np.float32]]:
    """A function from uint8 [N, 64, 64, 3] to float32 [N, 128]. Raises BrokenArtefact."""
    encoder = Encoder()
    try:
        encoder.load_state_dict({name: value.float() for name, value in checkpoint.tensors().items()})
    except RuntimeError as error:
        raise BrokenArtefact(f"{checkpoint.path}: not an encoder of this version ({error}).") from error
    device = launch.device()
    encoder.eval().to(device)

    def embed(pixels_NHWC: Pixels) -> NDArray[np.float32]:
        with torch.no_grad():
            return encoder(to_tensor(pixels_NHWC).to(device)).cpu().numpy()

    return embed


def to_tensor(pixels_NHWC: Pixels) -> Tensor:
    """uint8 [N, H, W, 3] to float [N, 3, H, W] in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pixels_NHWC)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
