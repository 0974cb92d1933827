"""Whether two photos show the same scene: background, clothes and light of one session."""

# N photos, T x T pixels of a thumbnail, D of them outside the face

import numpy as np
from numpy.typing import NDArray

# The face is inside this ellipse in nearly all portraits; shares of the width and height.
_FACE = (0.32, 0.42)
_FLAT = 4.0  # grey levels: a plain background is no scene


def scene_rows(thumbnails_NTT: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Rows [N, D] of length 1, whose distance is sqrt(2 - 2 correlation) of the pixels outside the face.

    NaN where nothing but a plain background is seen there.
    """
    side = thumbnails_NTT.shape[1]
    at = (np.arange(side) + 0.5) / side - 0.5
    outside_TT = (at[None] / _FACE[0]) ** 2 + (at[:, None] / _FACE[1]) ** 2 > 1
    rows_ND = thumbnails_NTT[:, outside_TT].astype(np.float32)
    rows_ND -= rows_ND.mean(axis=1, keepdims=True)
    deviations_N = rows_ND.std(axis=1)
    lengths_N1 = np.maximum(np.linalg.norm(rows_ND, axis=1, keepdims=True), 1e-6)
    return np.where(deviations_N[:, None] < _FLAT, np.float32(np.nan), rows_ND / lengths_N1)
