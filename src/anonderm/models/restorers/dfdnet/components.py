"""The positions of eyes, nose and mouth in a face of DFDNet's size.

A box is (x0, y0, x1, y1) in whole pixels of the 512 px picture, x1 and y1 exclusive.
"""

import numpy as np
from numpy.typing import NDArray

SIDE = 512
COMPONENTS = ("left_eye", "right_eye", "nose", "mouth")  # left and right as they appear in the picture

# The points of the 68-point iBUG scheme that belong to each component: brow and eye, nose without the bridge,
# both lips.
_POINTS = {
    "left_eye": (*range(17, 22), *range(36, 42)),
    "right_eye": (*range(22, 27), *range(42, 48)),
    "nose": tuple(range(29, 36)),
    "mouth": tuple(range(48, 68)),
}
_MIN_HALF = 16.0  # half the side of a box

# Centre and half side of the boxes of an average face in FFHQ's framing: means over 108 frontal faces that
# were aligned by their 68 points; the standard deviation is 2 to 7 px for centres, 3 to 6 px for half sides.
_AVERAGE = {
    "left_eye": (188.0, 226.0, 47.5),
    "right_eye": (324.0, 226.0, 47.5),
    "nose": (256.0, 320.5, 30.0),
    "mouth": (256.0, 376.5, 57.5),
}

Box = tuple[int, int, int, int]


def boxes_of(points_682: NDArray[np.float64] | None) -> dict[str, Box]:
    """The box of each component; `points_682` in pixels of the 512 px picture.

    Without points, the boxes of an average face in FFHQ's framing, which suffice for aligned frontal faces.
    """
    if points_682 is None:
        return {name: _square(np.array([x, y]), half) for name, (x, y, half) in _AVERAGE.items()}
    return {name: _around(points_682[list(numbers)]) for name, numbers in _POINTS.items()}


def _around(points_N2: NDArray[np.float64]) -> Box:
    """The square around the points' mean whose side is their larger extent."""
    extent = float(np.ptp(points_N2, axis=0).max())
    return _square(points_N2.mean(axis=0), max(extent / 2, _MIN_HALF))


def _square(centre_2: NDArray[np.float64], half: float) -> Box:
    """Clipped to the picture. Rounded as in training: the first row and column are excluded."""
    low = np.clip(np.trunc(centre_2 - half + 1), 0, SIDE - 2 * _MIN_HALF).astype(int)
    high = np.clip(np.trunc(centre_2 + half), 2 * _MIN_HALF, SIDE).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
