"""Synthetic faces that show the same person: a generator that has memorised repeats itself."""

# N synthetic faces, G groups

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, resize
from anonderm.core.results.audit import Calibration, extrapolated_threshold
from anonderm.embeddings.calibration import impostor_spread
from anonderm.embeddings.matchers.matcher import Rows, Templates
from anonderm.metrics.clustering import cluster
from anonderm.metrics.pairwise import pairs_within

_WRONG = 0.5  # impostor pairs expected within the threshold, in the whole set
_LEVEL = 0.001  # the threshold is at most that of this false match rate
_SAMPLED = 2000  # faces whose distances represent all
_TILE, _COLUMNS, _GROUPS, _MARGIN = 112, 8, 14, 18  # of the sheet


@dataclass(frozen=True)
class RepeatedFaces:
    """groups_G: rows of the faces that show one person (or one picture), the largest group first.

    threshold: None where the calibration allows none; nothing is grouped then.
    """

    matcher: str
    threshold: float | None
    faces: int
    groups_G: tuple[tuple[int, ...], ...]

    @property
    def repeated(self) -> int:
        """Faces in a group."""
        return sum(map(len, self.groups_G))


def find_repeats(synthetic: Templates, calibration: Calibration) -> RepeatedFaces:
    """Groups by average linkage, cut where half an impostor pair is expected in the whole set.

    The number of pairs grows with the square of the faces, so the threshold falls. It falls further where the
    synthetic faces are more alike than the real ones of the calibration: see `own_threshold`.
    """
    rows = np.flatnonzero(synthetic.enrolled_N)
    threshold = strict_threshold(calibration, len(rows))
    if threshold is None or len(rows) < 2:
        return RepeatedFaces(calibration.matcher, threshold, len(rows), ())
    threshold = own_threshold(synthetic.rows_ND[rows], threshold)
    nobody = [None] * len(rows)
    person_N = cluster(synthetic.rows_ND[rows], nobody, nobody, threshold)
    order = rows[np.argsort(person_N, kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(np.sort(person_N))) + 1)
    several = sorted((group.tolist() for group in groups if len(group) > 1), key=lambda g: (-len(g), g))
    return RepeatedFaces(calibration.matcher, threshold, len(rows), tuple(map(tuple, several)))


def strict_threshold(calibration: Calibration, faces: int) -> float | None:
    """For a search among all pairs of so many faces; None where the calibration allows none."""
    level, pairs = calibration.threshold(_LEVEL), faces * (faces - 1) / 2
    strict = calibration.extrapolated_threshold(min(_LEVEL, _WRONG / max(pairs, 1)))
    return None if level is None or strict is None else min(level, strict)


def own_threshold(rows_ND: Rows, threshold: float) -> float:
    """The smaller of `threshold` and the distance of an FMR of 0.1% among the synthetic faces themselves.

    Faces of one age, origin or framing are nearer to each other than those of a mixed set, and would all
    match. If most pairs are within `threshold`, the set has collapsed to one person, and its own distances
    are not those of impostor pairs.
    """
    some_ND = rows_ND[:: math.ceil(len(rows_ND) / _SAMPLED)]
    distances_P = np.concatenate([each_BB[np.isfinite(each_BB)] for _, _, each_BB in pairs_within(some_ND)])
    if float(np.median(distances_P)) <= threshold:
        return threshold
    own = extrapolated_threshold(impostor_spread(distances_P), _LEVEL)
    return threshold if own is None else min(threshold, own)


def sheet(repeats: RepeatedFaces, synthetic: FaceSet) -> Pixels:
    """uint8 [H, W, 3]: a row for each of the largest groups. Raises MissingPath or UnreadableImage."""
    shown = repeats.groups_G[:_GROUPS]
    title = (
        f"{repeats.matcher}: {len(repeats.groups_G)} groups hold {repeats.repeated} of {repeats.faces} faces"
        + (f"; the largest {len(shown)} are shown" if len(repeats.groups_G) > len(shown) else "")
    )
    height = _MARGIN + len(shown) * (_TILE + _MARGIN)
    picture = Image.new("RGB", (_COLUMNS * (_TILE + 4) + 8, height), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((6, 3), title, "black")
    for index, group in enumerate(shown):
        top = _MARGIN + index * (_TILE + _MARGIN)
        draw.text((6, top + _TILE + 3), f"{len(group)} faces", "black")
        for column, row in enumerate(group[:_COLUMNS]):
            tile = resize(synthetic.image(synthetic.faces[row]), _TILE)
            picture.paste(Image.fromarray(tile), (6 + column * (_TILE + 4), top))
    return np.asarray(picture)


def ids(repeats: RepeatedFaces, synthetic: FaceSet) -> list[list[str]]:
    """The groups as ids of faces."""
    return [[synthetic.faces[row].id for row in group] for group in repeats.groups_G]
