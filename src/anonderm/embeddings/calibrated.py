"""A matcher with the real faces as it sees them, and what it is worth on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.embeddings.calibration import ENOUGH_GENUINE, ENOUGH_PEOPLE, Calibration, From, calibrate
from anonderm.embeddings.identity_pairs import Pairs, copy_pairs, photo_pairs
from anonderm.embeddings.matchers.matcher import Described, Matcher


@dataclass(frozen=True)
class Calibrated:
    """faces, views: the real faces, as they are and with their views, in the order of the set."""

    matcher: Matcher
    faces: Described
    views: Described
    calibration: Calibration


def calibrated(
    matcher: Matcher, real: FaceSet, copies: FaceSet, run: RunDir, rng: np.random.Generator
) -> Calibrated:
    """Describe the real faces and calibrate on them, people of training and people kept out alike.

    copies: altered copies of real faces (plants.copies_of). They are the genuine pairs of a matcher that
    knows no faces, and the floor for others where fewer than 5 people, or 10 pairs, have several photos.
    """
    faces, views = matcher.describe(real, run), matcher.describe(real, run, views=True)
    people = [face.person for face in real]
    genuine, impostor = photo_pairs(faces, views, people, rng)
    genuine_from: From = "photos"
    if not matcher.knows_faces or len(genuine) < ENOUGH_GENUINE or genuine.people < ENOUGH_PEOPLE:
        genuine, genuine_from = _of_copies(matcher, real, copies, views, run), "copies"
    seen = (len(faces) - faces.unseen, len(faces))
    return Calibrated(
        matcher, faces, views, calibrate(matcher.name, genuine, impostor, genuine_from, seen, rng)
    )


def _of_copies(matcher: Matcher, real: FaceSet, copies: FaceSet, views: Described, run: RunDir) -> Pairs:
    row_of = {face.id: row for row, face in enumerate(real.faces)}
    originals_R = np.array([row_of[face.parents[0]] for face in copies], np.intp)
    return copy_pairs(matcher.describe(copies, run), views, originals_R, [face.person for face in real])
