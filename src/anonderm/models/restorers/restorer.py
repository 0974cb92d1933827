"""The interface of restorers, which enlarge faces, and the one that interpolates."""

# N faces, H x W pixels, C channels

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anonderm.core.images import Pixels, resize

Points = NDArray[np.float64]


class Restorer(Protocol):
    """Returns faces of one size larger or sharper.

    `name` is recorded in the manifest. `side`: the only input size it accepts, or None for any. `framed`:
    whether it was trained on faces in FFHQ's framing. Its output is `scale` times as large as its input.
    """

    name: str
    side: int | None
    scale: int
    framed: bool

    def __call__(self, images_NHWC: Pixels, points_N: Sequence[Points | None]) -> Pixels:
        """uint8 RGB in and out; `points_N` are the 68 landmarks of each face in pixels, if known."""
        ...


class Lanczos:
    """Enlarges by interpolation alone, which neither adds nor removes detail."""

    name = "lanczos"
    side: int | None = None
    scale = 1
    framed = False

    def __call__(self, images_NHWC: Pixels, points_N: Sequence[Points | None]) -> Pixels:
        return images_NHWC


def enlarge(images_NHWC: Pixels, points_N: Sequence[Points | None], restorer: Restorer, size: int) -> Pixels:
    """Square faces enlarged to `size`.

    They are resized to the restorer's input side, and its output to `size`. A restorer that magnifies is
    applied until `size` is reached; one that only sharpens gets faces interpolated to `size`.
    """
    if restorer.side is None and restorer.scale > 1:
        while images_NHWC.shape[1] < size:
            images_NHWC = restorer(images_NHWC, points_N)
            points_N = _scaled(points_N, restorer.scale)
    else:
        side = restorer.side or size
        points_N = _scaled(points_N, side / images_NHWC.shape[1])
        images_NHWC = restorer(_resized(images_NHWC, side), points_N)
    return _resized(images_NHWC, size)


def _scaled(points_N: Sequence[Points | None], factor: float) -> Sequence[Points | None]:
    return [None if points is None else points * factor for points in points_N]


def _resized(images_NHWC: Pixels, side: int) -> Pixels:
    if images_NHWC.shape[1] == side:
        return images_NHWC
    return np.stack([resize(image_HWC, side) for image_HWC in images_NHWC])


def from_pixels(images_NHWC: Pixels, device: str) -> Tensor:
    """uint8 [N, H, W, 3] -> float [N, 3, H, W] in 0..1."""
    tensor = torch.from_numpy(np.ascontiguousarray(images_NHWC)).to(device)
    return tensor.permute(0, 3, 1, 2).float() / 255


def to_pixels(images_NCHW: Tensor) -> Pixels:
    """float [N, 3, H, W] in 0..1, clipped -> uint8 [N, H, W, 3]."""
    rounded = (images_NCHW.clamp(0, 1) * 255).round().to(torch.uint8)
    return rounded.permute(0, 2, 3, 1).contiguous().cpu().numpy()
