"""DFDNet as a restorer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from anonderm.core import launch
from anonderm.core.images import Pixels
from anonderm.models.restorers.dfdnet.components import SIDE, boxes_of
from anonderm.models.restorers.dfdnet.load import load_published
from anonderm.models.restorers.restorer import Points
from anonderm.models.restorers.tensors import from_pixels, to_pixels


class DfdnetRestorer:
    """Faces of 512 px in FFHQ's framing. Without points, components are at their average positions."""

    name = "dfdnet"
    side: int | None = SIDE
    scale = 1
    framed = True

    def __init__(self, folder: Path) -> None:
        """Raises what `load_published` raises."""
        self._device = launch.device()
        network, dictionaries = load_published(folder)
        self._network = network.to(self._device).eval()
        self._dictionaries = {
            name: tuple(each.to(self._device) for each in scales) for name, scales in dictionaries.items()
        }

    @torch.inference_mode()
    def __call__(self, images_NHWC: Pixels, points_N: Sequence[Points | None]) -> Pixels:
        boxes_N = [boxes_of(points_682) for points_682 in points_N]
        images_NCHW = from_pixels(images_NHWC, self._device) * 2 - 1
        return to_pixels((self._network(images_NCHW, boxes_N, self._dictionaries) + 1) / 2)
