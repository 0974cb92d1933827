"""The audit with one matcher: calibration, canaries, every attack, repeated faces.

It is remembered when it is done, so a killed audit goes on with the next matcher.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anonderm.audit.canaries import search_canaries
from anonderm.audit.false_matches import false_matches
from anonderm.audit.matcher_attacks import FaceTemplates, attack_all
from anonderm.audit.people import People
from anonderm.audit.repeated_people import find_repeats, ids, sheet
from anonderm.core.config import typed
from anonderm.core.faceset import FaceSet
from anonderm.core.images import write_png
from anonderm.core.results.audit import Attack, Calibration, MatcherCalibration, Repeats, ToneAttack
from anonderm.core.results.base import LeftOut, Score
from anonderm.core.rundir import RunDir
from anonderm.embeddings.calibration import calibrate_matcher
from anonderm.embeddings.matchers.matcher import Matcher, Templates
from anonderm.embeddings.matchers.registry import MATCHERS
from anonderm.metrics.bootstrap import wilson_interval

_LARGEST = 50  # groups of repeated faces that are listed by id


@dataclass(frozen=True)
class AuditData:
    """The faces of an audit; `copies` are altered copies of real photos for calibration."""

    people: People
    synthetic: FaceSet
    canaries: FaceSet
    copies: FaceSet


@dataclass(frozen=True)
class MatcherAudit:
    """canaries_found: of each canary, at the strictest false match rate; empty if there is no threshold."""

    calibration: MatcherCalibration
    repeats: Repeats
    canaries_found: tuple[bool, ...]
    attacks: tuple[Attack, ...]
    tones: tuple[ToneAttack, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def matcher(self) -> str:
        return self.calibration.matcher

    @property
    def informative(self) -> bool:
        return self.calibration.uninformative is None


def audit_with(matcher: Matcher, data: AuditData, seed: int, run: RunDir) -> MatcherAudit:
    rng = np.random.default_rng([seed, MATCHERS.index(matcher.name)])
    key = f"matcher {matcher.name}"
    return typed(MatcherAudit, run.remember(key, lambda: _audit_with(matcher, data, rng, run)), key)


def _audit_with(matcher: Matcher, data: AuditData, rng: np.random.Generator, run: RunDir) -> dict[str, Any]:
    """The fields of a MatcherAudit."""
    people, is_member_N = data.people, data.people.is_member()[: len(data.people.real)]
    known = calibrate_matcher(matcher, people.real, data.copies, run, rng)
    levels = {level.target_fmr: level.threshold for level in known.calibration.levels}
    thresholds = {rate: threshold for rate, threshold in levels.items() if threshold is not None}
    strictest = thresholds[min(thresholds)] if thresholds else None
    canaries = matcher.extract(data.canaries, run)
    distances_R = search_canaries(data.canaries, canaries, people.members, known.views[is_member_N])
    views = known.views
    if people.others:
        others = matcher.extract(people.others, run, views=True)
        views = Templates(np.concatenate([views.rows_NVD, others.rows_NVD]))
    synthetic = matcher.extract(data.synthetic, run)
    templates = FaceTemplates(matcher.name, views, synthetic, thresholds)
    labels = [face.label for face in data.synthetic]
    found = attack_all(templates, people, labels, run, rng)
    matches = None
    if strictest is not None:
        person_N = np.array([face.person for face in people.real])
        members, non_members = known.views[is_member_N], known.faces[~is_member_N]
        names = person_N[~is_member_N].tolist(), person_N[is_member_N].tolist()
        matches = false_matches(non_members, names[0], members, names[1], strictest, rng)
    return {
        "calibration": asdict(known.calibration) | {"false_matches": matches and asdict(matches)},
        "repeats": asdict(_repeats(synthetic, known.calibration, data.synthetic, run)),
        "canaries_found": [] if strictest is None else (distances_R <= strictest).tolist(),
        **asdict(found),
    }


def _repeats(synthetic: Templates, calibration: Calibration, faces: FaceSet, run: RunDir) -> Repeats:
    """The numbers of repeated faces, and the largest groups by id and as a picture."""
    found = find_repeats(synthetic, calibration)
    file = f"repeats/{found.matcher}.png" if found.groups_G else None
    if file:
        write_png(run.folder / file, sheet(found, faces))
    n, note = found.faces, f"in {len(found.groups_G)} groups"
    share = Score(found.repeated / n, *wilson_interval(found.repeated, n), n, False, note) if n else None
    return Repeats(
        found.matcher,
        found.threshold,
        n,
        found.repeated,
        len(found.groups_G),
        share,
        tuple(tuple(group) for group in ids(found, faces)[:_LARGEST]),
        file,
    )
