"""How faces are brought to a restorer's size, and from it to the one wanted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from anonderm.core.images import resize
from anonderm.models.restorers.restorer import Lanczos, enlarge
from anonderm.models.restorers.spandrel_restorer import in_tiles


class Spy:
    """Repeats each pixel `scale` times, and notes what it was given."""

    name, framed = "spy", False

    def __init__(self, side: int | None, scale: int) -> None:
        self.side, self.scale = side, scale
        self.inputs: list[tuple[int, float | None]] = []

    def __call__(self, images_NHWC, points_N):
        points = points_N[0]
        self.inputs.append((images_NHWC.shape[1], None if points is None else float(points[0, 0])))
        return images_NHWC.repeat(self.scale, axis=1).repeat(self.scale, axis=2)


FACES = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), np.uint8)
POINTS = [np.full((68, 2), 10.0), None]


def test_lanczos_is_plain_interpolation() -> None:
    assert (enlarge(FACES, [None, None], Lanczos(), 100)[1] == resize(FACES[1], 100)).all()


@pytest.mark.parametrize(
    ("side", "scale", "size", "inputs"),
    [
        (64, 1, 100, [(64, 16.0)]),
        (64, 4, 100, [(64, 16.0)]),
        (None, 1, 100, [(100, 25.0)]),
        (None, 2, 80, [(40, 10.0)]),
        (None, 2, 100, [(40, 10.0), (80, 20.0)]),
    ],
)
def test_each_kind_of_restorer_gets_what_it_takes(side, scale, size, inputs) -> None:
    spy = Spy(side, scale)
    assert enlarge(FACES, POINTS, spy, size).shape == (2, size, size, 3)
    assert spy.inputs == inputs, "the points move with the pixels"


def test_tiles_give_what_the_whole_picture_would() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 5, padding=2), nn.ReLU(), nn.Conv2d(4, 12, 3, padding=1), nn.PixelShuffle(2)
    ).double()
    images = torch.rand(2, 3, 45, 70, dtype=torch.float64)
    with torch.inference_mode():
        tiled = in_tiles(network, images, scale=2, tile=32, margin=3)
        torch.testing.assert_close(tiled, network(images))
        assert not torch.allclose(in_tiles(network, images, scale=2, tile=32, margin=0), tiled)
