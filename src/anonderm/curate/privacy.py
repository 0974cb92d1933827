"""Reject synthetic faces that a matcher takes for a training subject.

Matchers and calibration are those of the audit, so a distance means the same in both. An uninformative
matcher rejects nothing, and no face is rejected for resembling a non-member. The share of the non-members'
own photos that a threshold would reject estimates how many innocent faces it costs.
"""

# M synthetic faces, N real ones

import shutil

import numpy as np

from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.results.audit import Calibration
from anonderm.core.results.privacy_screen import PrivacyScreen, ScreeningMatcher
from anonderm.core.rundir import RunDir
from anonderm.curate.config import ScreenConfig
from anonderm.embeddings.alterations import copies_of
from anonderm.embeddings.calibration import calibrate_matcher
from anonderm.embeddings.matchers.matcher import Matcher
from anonderm.embeddings.matchers.registry import MATCHERS, installed_matchers
from anonderm.metrics.pairwise import nearest

TRAINING, NON_MEMBERS = "train", ("val", "test")
SEED = 0  # as in the audit, so that thresholds agree

_CALIBRATION_COPIES = 100  # people with altered copies, for calibration without second photos
_MANY = 0.5  # share of non-members' photos rejected above which a lower rate is advised


def match_training_subjects(
    config: ScreenConfig, faces: FaceSet, real: FaceSet, run: RunDir
) -> tuple[PrivacyScreen, dict[str, str]]:
    """Search the training subjects (split train of `real`, mirrored as well) for each synthetic face.

    Returns the summary, and for each face that matches, the reason by the first matcher.
    Raises InputError if there are no training faces, and the last matcher's error if none is installed.
    """
    known = real.where(split=(TRAINING, *NON_MEMBERS))
    if not known.where(split=TRAINING).faces:
        raise InputError(
            f"{real.folder}: no face of split train, so there is nobody to protect.",
            "Give the set that the generator was trained on, with its splits.",
        )
    matchers, left_out = installed_matchers(config.matchers)
    copies = copies_of(known, _CALIBRATION_COPIES, SEED, run.folder / "copies", run)
    found = [_match(matcher, config.fmr, faces, known, copies, run) for matcher in matchers]
    shutil.rmtree(run.folder / "copies")
    reasons: dict[str, str] = {}
    for _, by_matcher in found:
        reasons = by_matcher | reasons
    screen = PrivacyScreen(config.fmr, tuple(each for each, _ in found), tuple(left_out), len(reasons))
    _log_summary(screen, run)
    return screen, reasons


def _match(
    matcher: Matcher, fmr: float, faces: FaceSet, known: FaceSet, copies: FaceSet, run: RunDir
) -> tuple[ScreeningMatcher, dict[str, str]]:
    rng = np.random.default_rng([SEED, MATCHERS.index(matcher.name)])
    real = calibrate_matcher(matcher, known, copies, run, rng)
    threshold, method = threshold_at(real.calibration, fmr)
    uninformative = real.calibration.uninformative
    if uninformative is None and threshold is None:
        uninformative = f"no distance has a false match rate of {fmr:g} here"
    if uninformative is not None or threshold is None:
        return ScreeningMatcher(matcher.name, None, method, uninformative, 0, 0, 0), {}
    is_train_N = np.array([face.split == TRAINING for face in known])
    members = real.views[is_train_N]
    described = matcher.extract(faces, run)
    with run.bar(f"searching training subjects with {matcher.name}", len(faces)) as bar:
        found = nearest(described, members, bar=bar)
    train = known.where(split=TRAINING).faces
    limit = f"(limit {threshold:.3f})"
    reasons = {
        face.id: f"training-person: {matcher.name} {distance:.3f} from {train[row].id} {limit}"
        for face, distance, row in zip(faces, found.distances_M, found.indices_M, strict=True)
        if distance <= threshold
    }
    non_members = real.faces[~is_train_N]
    matched = int((nearest(non_members, members).distances_M <= threshold).sum())
    enrolled = int(non_members.enrolled_N.sum())
    return ScreeningMatcher(matcher.name, threshold, method, None, len(reasons), matched, enrolled), reasons


def _log_summary(screen: PrivacyScreen, run: RunDir) -> None:
    for each in screen.matchers:
        run.log(_described(each))
        if each.non_members_matched > _MANY * each.non_members:
            run.log(f"{each.matcher} would reject most non-members: lower --fmr to keep more faces")
    for missing in screen.left_out:
        run.log(f"{missing.name} is left out: {missing.reason}")
    if not screen.informative:
        run.log("NO MATCHER IS INFORMATIVE: no face was rejected for resembling a training subject")


def _described(each: ScreeningMatcher) -> str:
    if each.threshold is None:
        return f"{each.matcher} is uninformative and rejects nothing: {each.uninformative}"
    text = f"{each.matcher} (threshold {each.threshold:.3f}, {each.method}): {each.matched} faces match"
    if not each.non_members:
        return text
    return f"{text}; so would {each.non_members_matched} of {each.non_members} photos of non-members"


def threshold_at(calibration: Calibration, fmr: float) -> tuple[float | None, str]:
    """The largest distance at which two faces count as one person; whether it is measured or extrapolated.

    A rate between the calibrated levels is extrapolated, but never beyond the next larger level.
    """
    levels = [each for each in calibration.levels if each.target_fmr >= fmr]
    level = min(levels, key=lambda each: each.target_fmr)
    if level.target_fmr == fmr or level.threshold is None:
        return level.threshold, level.how
    beyond = calibration.extrapolated_threshold(fmr)
    return (None, "unreachable") if beyond is None else (min(level.threshold, beyond), "extrapolated")
