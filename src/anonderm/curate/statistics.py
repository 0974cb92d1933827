"""Image statistics that reveal artefacts of generators: blur, noise, flatness, seams, checkerboards."""

# N images, H x W pixels, C channels, S statistics

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.images import LUMINANCE, Pixels

Plane = NDArray[np.floating]

_PATCHES = 8  # per side


@dataclass(frozen=True, slots=True)
class Statistic:
    """`floor`: differences below it are negligible; `two_sided`: too low a value is an artefact, too."""

    name: str
    floor: float
    two_sided: bool


STATISTICS = (
    Statistic("brightness", 0.05, True),  # mean luminance, 0..1
    Statistic("contrast", 0.01, True),  # standard deviation of luminance
    Statistic("colour", 0.02, True),  # mean difference of the highest and the lowest channel
    Statistic("clipping", 0.05, False),  # share of pixels with a channel at 0 or 255
    Statistic("sharpness", 0.002, True),  # mean size of the Laplacian
    Statistic("roughest patch", 0.005, False),  # the same, in the patch where it is largest
    Statistic("checkering", 0.02, False),  # share of the detail that alternates between neighbouring pixels
    Statistic("border", 0.2, False),  # step at the outermost lines, over the mean step
)


def measure(pixels_NHWC: Pixels) -> NDArray[np.float64]:
    """log(floor + value) of each of STATISTICS, [N, S], of uint8 RGB images of at least 16 x 16 pixels."""
    rgb_NHWC = pixels_NHWC.astype(np.float32) / 255
    luminance_NHW = rgb_NHWC @ LUMINANCE
    detail_NHW = np.abs(_laplacian(luminance_NHW))
    sharpness_N = detail_NHW.mean(axis=(1, 2))
    columns = (
        luminance_NHW.mean(axis=(1, 2)),
        luminance_NHW.std(axis=(1, 2)),
        (rgb_NHWC.max(axis=3) - rgb_NHWC.min(axis=3)).mean(axis=(1, 2)),
        ((pixels_NHWC == 0) | (pixels_NHWC == 255)).any(axis=3).mean(axis=(1, 2)),
        sharpness_N,
        _roughest_patch(detail_NHW),
        _alternation(luminance_NHW) / np.maximum(sharpness_N, 1e-6),
        _border_step(luminance_NHW),
    )
    floors_S = np.array([statistic.floor for statistic in STATISTICS])
    return np.log(floors_S + np.stack(columns, axis=1).astype(np.float64))


def _laplacian(luminance_NHW: Plane) -> Plane:
    centre = luminance_NHW[:, 1:-1, 1:-1]
    across = luminance_NHW[:, 1:-1, :-2] + luminance_NHW[:, 1:-1, 2:]
    down = luminance_NHW[:, :-2, 1:-1] + luminance_NHW[:, 2:, 1:-1]
    return across + down - 4 * centre


def _roughest_patch(detail_NHW: Plane) -> Plane:
    count, height, width = detail_NHW.shape
    tall, wide = height // _PATCHES, width // _PATCHES
    even = detail_NHW[:, : tall * _PATCHES, : wide * _PATCHES]
    patches = even.reshape(count, _PATCHES, tall, _PATCHES, wide).mean(axis=(2, 4))
    return patches.max(axis=(1, 2))


def _alternation(luminance_NHW: Plane) -> Plane:
    """Mean amplitude of the 2 x 2 checkerboard that transposed convolutions can leave."""
    y = luminance_NHW
    return np.abs(y[:, :-1, :-1] - y[:, :-1, 1:] - y[:, 1:, :-1] + y[:, 1:, 1:]).mean(axis=(1, 2))


def _border_step(luminance_NHW: Plane) -> Plane:
    down = np.abs(np.diff(luminance_NHW, axis=1)).mean(axis=2)
    across = np.abs(np.diff(luminance_NHW, axis=2)).mean(axis=1)
    outermost = np.stack([down[:, 0], down[:, -1], across[:, 0], across[:, -1]]).max(axis=0)
    return outermost / np.maximum((down.mean(axis=1) + across.mean(axis=1)) / 2, 1e-6)
