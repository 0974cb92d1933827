"""The audit with one matcher: calibration, canaries, every attack, repeated faces.

It is remembered when it is done, so a killed audit goes on with the next matcher.
"""

# M faces of non-members, N faces of members, P pairs, R canaries

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anonderm.audit.canaries import search_canaries
from anonderm.audit.matcher_attacks import FaceTemplates, attack_all
from anonderm.audit.people import People
from anonderm.audit.repeated_people import find_repeats, ids, sheet
from anonderm.core.config import typed
from anonderm.core.faceset import FaceSet
from anonderm.core.images import write_png
from anonderm.core.results.audit import (
    Attack,
    Calibration,
    FalseMatches,
    MatcherCalibration,
    Repeats,
    ToneAttack,
)
from anonderm.core.results.base import LeftOut, Score
from anonderm.core.rundir import RunDir
from anonderm.embeddings.calibration import calibrate_matcher, rate_over_people
from anonderm.embeddings.matchers.matcher import Matcher, Templates
from anonderm.embeddings.matchers.registry import MATCHERS
from anonderm.metrics.bootstrap import wilson_interval
from anonderm.metrics.pairwise import distances, nearest

_MOST_FACES = 1000  # a side, whose pairs are counted for the false matches
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
    groups, largest = len(found.groups_G), tuple(tuple(group) for group in ids(found, faces)[:_LARGEST])
    return Repeats(found.matcher, found.threshold, n, found.repeated, groups, share, largest, file)


def false_matches(
    non_members: Templates,
    non_member_people: Sequence[str],
    members: Templates,
    member_people: Sequence[str],
    threshold: float,
    rng: np.random.Generator,
) -> FalseMatches | None:
    """The interval is over people. None where no face of one side could be enrolled.

    Pairs are counted on at most 1,000 faces a side, drawn at random.
    """
    matched_M = nearest(non_members, members).distances_M[non_members.enrolled_N] <= threshold
    rows_M, rows_N = (np.flatnonzero(side.enrolled_N) for side in (non_members, members))
    if not len(rows_M) or not len(rows_N):
        return None
    rows_M, rows_N = (
        np.sort(rng.choice(rows, _MOST_FACES, replace=False)) if len(rows) > _MOST_FACES else rows
        for rows in (rows_M, rows_N)
    )
    hits_P = (distances(non_members[rows_M], members[rows_N]) <= threshold).ravel()
    names = np.concatenate([np.asarray(non_member_people)[rows_M], np.asarray(member_people)[rows_N]])
    _, codes = np.unique(names, return_inverse=True)
    one_P = np.repeat(codes[: len(rows_M)], len(rows_N))
    two_P = np.tile(codes[len(rows_M) :], len(rows_M))
    rate = rate_over_people(hits_P, np.stack([one_P, two_P], axis=1), rng)
    return FalseMatches(len(hits_P), rate, len(matched_M), float(matched_M.mean()))
