"""The network of phantom-encoder."""

# N images, C channels, H x W pixels, D features

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BrokenArtefact
from anonderm.core.images import Pixels

RESOLUTION = 64
FEATURES = 128
WIDTHS = (24, 48, 96, 144)


class Encoder(nn.Module):
    """Images [N, 3, 64, 64] in -1..1 to embeddings [N, 128] of length sqrt(128)."""

    def __init__(self) -> None:
        super().__init__()
        stem = [nn.Conv2d(3, WIDTHS[0], 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(WIDTHS[0])]
        stages: list[nn.Module] = [*stem, nn.ReLU(), _Residual(WIDTHS[0])]
        for narrow, wide in pairwise(WIDTHS):
            stages += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide)]
            stages += [nn.ReLU(), _Residual(wide)]
        # Positions matter for identity, so the 4 x 4 positions stay separate up to the last layer.
        stages += [nn.Conv2d(WIDTHS[-1], 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten()]
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
