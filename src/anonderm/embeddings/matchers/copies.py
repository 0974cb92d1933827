"""A matcher that knows no faces: it finds a picture again, mirrored, cropped, recompressed or recoloured.

A picture becomes 8 x 8 histograms of the directions of its edges, weighted by how strong each edge is beside
those around it (Dalal and Triggs 2005). So brightness, contrast and colour hardly count, and edges may move
by part of a cell. A crop of up to 8% at any side is met by views: a face is also described as cut along other
windows, plain and mirrored. On the people of the Face Research Lab London Set all such copies lie nearer
than 999 of 1,000 pairs of strangers (docs/decisions.md).
"""

# N faces, V views, S x S pixels, B directions, C x C cells, D = B * C * C

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_bytes
from anonderm.core.images import LUMINANCE, Pixels
from anonderm.core.rundir import RunDir
from anonderm.core.threads import in_order
from anonderm.embeddings.kept import kept
from anonderm.embeddings.matchers.matcher import Rows, Templates

_SIDE = 64  # S
_CELLS = 8  # C
_DIRECTIONS = 8  # B
_FAINT = 2.0  # grey levels; edges around that are weaker than this are not made more of
_RECIPE = "edges-8x8x8-windows-20-v2"  # names what is kept on disk: change it with anything below

# Windows of the picture as margins, and how far they are moved. Faces searched for are cut along the first;
# copies cropped by up to 8% fall into another window of the original, those that show more into the widest.
_MARGINS = (0.04, 0.0, 0.08, 0.12)
_MOVES = ((0.0, 0.0), (0.03, 0.0), (-0.03, 0.0), (0.0, 0.03), (0.0, -0.03))
_WINDOWS = tuple((margin, *move) for margin, move in product(_MARGINS, _MOVES))

Plane = NDArray[np.float32]  # [S, S]


@dataclass(frozen=True)
class CopyMatcher:
    """See the module."""

    name: str = "copy"
    recognises_people: bool = False

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """See Matcher. Enrolment never fails."""
        windows = _WINDOWS if views else _WINDOWS[:1]
        sides = 2 if views else 1
        kind = "copy-views" if views else "copy"
        digest = sha256_bytes(_RECIPE.encode())
        path = faces.folder / "embeddings" / f"{kind}-{faces.digest[:16]}-{digest[:16]}.npy"

        def rows(face_HWC: Pixels) -> Rows:
            grey = _grey(face_HWC)
            rows_WD = np.stack([edges(_cut(grey, *window)) for window in windows])
            return np.concatenate([rows_WD, mirrored(rows_WD)]) if views else rows_WD

        def work() -> Rows:
            found = in_order(lambda face: rows(faces.image(face)), faces.faces)
            shown = run.bar(f"describing pictures of {len(faces)} faces", len(faces))
            made = np.zeros((len(faces), sides * len(windows), _DIRECTIONS * _CELLS**2), np.float32)
            with shown as bar:
                for index, rows_VD in enumerate(found):
                    made[index] = rows_VD
                    bar.advance()
            return made

        return Templates.of(kept(path, len(faces), work))


def _grey(face_HWC: Pixels) -> Plane:
    """Luminance at twice the side that is described, 0 to 255, so that windows of it can be cut."""
    import cv2

    how = cv2.INTER_AREA if face_HWC.shape[0] > 2 * _SIDE else cv2.INTER_CUBIC
    small = cv2.resize(np.ascontiguousarray(face_HWC), (2 * _SIDE, 2 * _SIDE), interpolation=how)
    return np.asarray(small.astype(np.float32) @ LUMINANCE)


def _cut(grey: Plane, margin: float, right: float, down: float) -> Plane:
    """[S, S]: the window that leaves out `margin` on every side, moved to the right and down (shares)."""
    import cv2

    full = len(grey)
    scale = 1 - 2 * margin
    from_centres = (scale - 1) / 2
    affine = np.array(
        [
            [scale, 0.0, (margin + right) * full + from_centres],
            [0.0, scale, (margin + down) * full + from_centres],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    window = cv2.warpAffine(grey, affine, (full, full), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.resize(window, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))


def edges(grey_SS: Plane) -> NDArray[np.float32]:
    """Histograms of edge directions [D], of mean 0 and length 1; a picture without edges becomes 0."""
    import cv2

    across_SS, down_SS = np.zeros_like(grey_SS), np.zeros_like(grey_SS)
    across_SS[:, 1:-1] = grey_SS[:, 2:] - grey_SS[:, :-2]
    down_SS[1:-1] = grey_SS[2:] - grey_SS[:-2]
    strength_SS = np.hypot(across_SS, down_SS)
    strength_SS /= cv2.GaussianBlur(strength_SS, (0, 0), _SIDE / _CELLS) + _FAINT
    turn_SS = np.arctan2(down_SS, across_SS) * (_DIRECTIONS / (2 * np.pi)) % _DIRECTIONS
    apart_SSB = np.abs(turn_SS[:, :, None] - np.arange(_DIRECTIONS, dtype=np.float32))
    apart_SSB = np.minimum(apart_SSB, _DIRECTIONS - apart_SSB)
    shared_SSB = np.maximum(0, 1 - apart_SSB) * strength_SS[:, :, None]
    cells_CS = _cells()
    cells_CCB = np.tensordot(cells_CS, np.tensordot(cells_CS, shared_SSB, (1, 1)), (1, 1))
    roots_D = np.sqrt(cells_CCB.ravel())
    centred_D = roots_D - roots_D.mean()
    return np.asarray(centred_D / max(float(np.linalg.norm(centred_D)), 1e-6), np.float32)


@cache
def _cells() -> NDArray[np.float32]:
    """[C, S]: along one axis, how much of each pixel a cell holds; cells shade into each other."""
    import cv2

    ones_SS = np.eye(_SIDE, dtype=np.float32)
    soft_SS = cv2.GaussianBlur(ones_SS, (1, 0), sigmaX=1.0, sigmaY=_SIDE / _CELLS / 2)  # down alone
    return np.asarray(cv2.resize(soft_SS, (_SIDE, _CELLS), interpolation=cv2.INTER_AREA))


def mirrored(rows_WD: Rows) -> Rows:
    """What `edges` gives of the mirrored pictures: cells change sides, edges lean the other way."""
    cells_WCCB = rows_WD.reshape(-1, _CELLS, _CELLS, _DIRECTIONS)
    leaning_B = (_DIRECTIONS // 2 - np.arange(_DIRECTIONS)) % _DIRECTIONS
    return np.ascontiguousarray(cells_WCCB[:, :, ::-1, leaning_B].reshape(rows_WD.shape))
