"""A matcher calibrated on the real faces, with their templates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.embeddings.calibration import (
    ENOUGH_GENUINE,
    ENOUGH_PEOPLE,
    Calibration,
    GenuineSource,
    calibrate,
)
from anonderm.embeddings.identity_pairs import Pairs, copy_pairs, photo_pairs
from anonderm.embeddings.matchers.matcher import Matcher, Templates


@dataclass(frozen=True)
class CalibratedMatcher:
    """faces, views: templates of the real faces without and with views, in the order of the set."""

    matcher: Matcher
    faces: Templates
    views: Templates
    calibration: Calibration


def calibrate_matcher(
    matcher: Matcher, real: FaceSet, copies: FaceSet, run: RunDir, rng: np.random.Generator
) -> CalibratedMatcher:
    """Extract templates of the real faces and calibrate on all of them, members and non-members alike.

    copies: altered copies of real faces (altered_copies.copies_of). They are the genuine pairs of a matcher
    that does not recognise people, and of others where fewer than 5 people, or 10 pairs, have several photos.
    """
    views = matcher.extract(real, run, views=True)
    faces = matcher.extract(real, run) if matcher.recognises_people else views.first_view()
    people = [face.person for face in real]
    genuine, impostor = photo_pairs(faces, views, people, rng)
    source: GenuineSource = "photos"
    if not matcher.recognises_people or len(genuine) < ENOUGH_GENUINE or genuine.people < ENOUGH_PEOPLE:
        genuine, source = _pairs_of_copies(matcher, real, copies, views, run), "copies"
    enrolled = (len(faces) - faces.failed_to_enrol, len(faces))
    calibration = calibrate(matcher.name, genuine, impostor, source, enrolled, rng)
    return CalibratedMatcher(matcher, faces, views, calibration)


def _pairs_of_copies(
    matcher: Matcher, real: FaceSet, copies: FaceSet, views: Templates, run: RunDir
) -> Pairs:
    row_of = {face.id: row for row, face in enumerate(real.faces)}
    originals_R = np.array([row_of[face.parents[0]] for face in copies], np.intp)
    return copy_pairs(matcher.extract(copies, run), views, originals_R, [face.person for face in real])
