"""Which synthetic faces a matcher takes for a person in training.

The matchers and their calibration are those of the audit, so that a distance means the same in both. One that
is blind on these photos puts nothing aside. Nothing is put aside for people kept out of training. How many of
their own photos the filter would take tells how many strangers it takes along.
"""

# M synthetic faces, N real ones

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anonderm.core.errors import AnondermError, InputError, MissingExtra, MissingWeights
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.curate.config import ScreenConfig

if TYPE_CHECKING:
    from anonderm.embeddings.calibration import Calibration
    from anonderm.embeddings.matchers.matcher import Matcher

TRAINING, KEPT_OUT = "train", ("val", "test")
SEED = 0  # of the calibration, and of the audits: the same thresholds in both

_COPIES = 100  # people whose altered copies a matcher is calibrated on, where there are no other photos
_MANY = 0.5  # share of strangers put aside from which on a lower rate is advised


@dataclass(frozen=True)
class Sighting:
    """What one matcher saw: `reasons` by face id; `limit` is None, and there are none, where it is blind.

    how: the limit was measured on pairs of strangers, or extrapolated from them. strangers: faces of people
    kept out that would be put aside, of how many that the matcher sees; None where nobody was kept out.
    """

    matcher: str
    limit: float | None
    how: str
    blind: str | None
    reasons: dict[str, str]
    strangers: tuple[int, int] | None

    def told(self) -> str:
        if self.blind is not None:
            return f"{self.matcher} is blind and puts nothing aside: {self.blind}"
        text = f"{self.matcher} (limit {self.limit:.3f}, {self.how}): {len(self.reasons)} faces match"
        if self.strangers is None:
            return text
        found, seen = self.strangers
        return f"{text}; so would {found} of {seen} real faces of people kept out of training"

    def as_json(self) -> dict[str, Any]:
        return {
            "matcher": self.matcher,
            "limit": self.limit,
            "how": self.how,
            "blind": self.blind,
            "faces": len(self.reasons),
            "strangers": self.strangers,
        }


@dataclass(frozen=True)
class Watch:
    """What all matchers saw, and which are not installed, with the reason."""

    sightings: tuple[Sighting, ...]
    missing: tuple[tuple[str, str], ...]

    @property
    def seeing(self) -> tuple[str, ...]:
        """Names of the matchers that are not blind."""
        return tuple(each.matcher for each in self.sightings if each.blind is None)

    @property
    def reasons(self) -> dict[str, str]:
        """For each face that matches, what the first matcher that says so says."""
        found: dict[str, str] = {}
        for each in self.sightings:
            found = each.reasons | found
        return found


def watch(config: ScreenConfig, faces: FaceSet, real: FaceSet, run: RunDir) -> Watch:
    """Search the people in training (split train of `real`) for each face, mirrored as well.

    Raises InputError where nobody is in training, and what the last matcher lacks where none is installed.
    """
    from anonderm.embeddings.altered_copies import copies_of

    known = real.where(split=(TRAINING, *KEPT_OUT))
    if not known.where(split=TRAINING).faces:
        raise InputError(
            f"{real.folder}: no face of split train: there is nobody to protect.",
            "Give the set that the generator learned from, with its splits.",
        )
    matchers, missing = _installed(config)
    copies = copies_of(known, _COPIES, SEED, run.folder / "copies", run)
    sightings = tuple(_look(matcher, config.fmr, faces, known, copies, run) for matcher in matchers)
    shutil.rmtree(run.folder / "copies")
    for each in sightings:
        run.log(each.told())
        if each.strangers and each.blind is None and each.strangers[0] > _MANY * each.strangers[1]:
            run.log(f"{each.matcher} takes most strangers for somebody in training: lower --fmr to keep more")
    for name, why in missing:
        run.log(f"{name} is left out: {why}")
    found = Watch(sightings, missing)
    if not found.seeing:
        run.log("PRIVACY SCREENING FOUND NO SEEING MATCHER: no face was put aside for looking like a person")
    return found


def _installed(config: ScreenConfig) -> tuple[list[Matcher], tuple[tuple[str, str], ...]]:
    from anonderm.embeddings.matchers.registry import make_matcher

    found, missing, lacking = list["Matcher"](), list[tuple[str, str]](), list[AnondermError]()
    for name in config.matchers:
        try:
            found.append(make_matcher(name))
        except (MissingExtra, MissingWeights) as error:
            missing.append((name, error.message))
            lacking.append(error)
    if not found:
        raise lacking[-1]
    return found, tuple(missing)


def _look(
    matcher: Matcher, fmr: float, faces: FaceSet, known: FaceSet, copies: FaceSet, run: RunDir
) -> Sighting:
    from anonderm.embeddings.calibrated import calibrate_matcher
    from anonderm.embeddings.matchers.registry import MATCHERS
    from anonderm.embeddings.search import nearest

    rng = np.random.default_rng([SEED, MATCHERS.index(matcher.name)])
    real = calibrate_matcher(matcher, known, copies, run, rng)
    limit, how = limit_at(real.calibration, fmr)
    blind = real.calibration.uninformative
    if blind is None and limit is None:
        blind = f"no distance has a false match rate of {fmr:g} here"
    if blind is not None or limit is None:
        return Sighting(matcher.name, None, how, blind, {}, None)
    is_train_N = np.array([face.split == TRAINING for face in known])
    people = real.views[is_train_N]
    described = matcher.extract(faces, run)
    with run.bar(f"searching people in training with {matcher.name}", len(faces)) as bar:
        found = nearest(described, people, bar=bar)
    train = known.where(split=TRAINING).faces
    reasons = {
        face.id: f"training-person: {matcher.name} {distance:.3f} from {train[row].id} (limit {limit:.3f})"
        for face, distance, row in zip(faces, found.distances_M, found.indices_M, strict=True)
        if distance <= limit
    }
    strangers = real.faces[~is_train_N]
    taken = nearest(strangers, people).distances_M <= limit
    seen = int(strangers.enrolled_N.sum())
    return Sighting(
        matcher.name, limit, how, None, reasons, (int(taken.sum()), seen) if len(strangers) else None
    )


def limit_at(calibration: Calibration, fmr: float) -> tuple[float | None, str]:
    """The distance at or below which two faces are one person, and whether it was measured or extrapolated.

    A rate that the calibration has no level for is extrapolated, never beyond the next larger level.
    """
    level = min(
        (each for each in calibration.levels if each.target_fmr >= fmr), key=lambda each: each.target_fmr
    )
    if level.target_fmr == fmr or level.threshold is None:
        return level.threshold, level.how
    beyond = calibration.extrapolated_threshold(fmr)
    return (None, "unreachable") if beyond is None else (min(level.threshold, beyond), "extrapolated")
