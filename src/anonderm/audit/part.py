"""What one matcher finds; kept in the run folder when it is done, so that a killed audit goes on with the
next."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anonderm.audit.alarms import false_alarms
from anonderm.audit.canaries import look_for
from anonderm.audit.one_matcher import Seen, attack_all
from anonderm.audit.people import People
from anonderm.audit.repeated_people import find_repeats, ids, sheet
from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_json, write_json
from anonderm.core.images import write_png
from anonderm.core.results.audit import Arm, Attack, Excess, Pair
from anonderm.core.rundir import RunDir
from anonderm.embeddings.calibrated import CalibratedMatcher, calibrate_matcher
from anonderm.embeddings.calibration import Calibration
from anonderm.embeddings.matchers.matcher import Matcher, Templates
from anonderm.embeddings.matchers.registry import MATCHERS

_LARGEST = 50  # groups of repeats that are told by id


@dataclass(frozen=True)
class Stock:
    """Whom and what an audit is about: real people, synthetic faces, hidden leaks, altered copies."""

    people: People
    synthetic: FaceSet
    plants: FaceSet
    copies: FaceSet


@dataclass(frozen=True)
class Part:
    """hits: which of the hidden leaks the matcher finds, at its strictest false match rate; none where it has
    no threshold."""

    matcher: str
    calibration: Mapping[str, Any]
    repeats: Mapping[str, Any]
    hits: tuple[bool, ...]
    attacks: tuple[Attack, ...]
    tones: Mapping[str, tuple[Attack, ...]]
    left_out: tuple[tuple[str, str], ...]

    @property
    def blind(self) -> str | None:
        """Why the matcher counts for nothing; None where it sees."""
        why: str | None = self.calibration["uninformative"]
        return why


def part_of(matcher: Matcher, stock: Stock, seed: int, run: RunDir) -> Part:
    """Worked out, or read again where an earlier call came so far."""
    path = run.folder / "parts" / f"{matcher.name}.json"
    kept = kept_part(
        path, lambda: _work_out(matcher, stock, np.random.default_rng([seed, _number(matcher)]), run)
    )
    return Part(
        matcher.name,
        kept["calibration"],
        kept["repeats"],
        tuple(kept["hits"]),
        tuple(attack_from(each) for each in kept["attacks"]),
        {tone: tuple(attack_from(each) for each in attacks) for tone, attacks in kept["tones"].items()},
        tuple((name, reason) for name, reason in kept["left_out"]),
    )


def kept_part(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` gives, as JSON holds it; from the file where it was made before. Raises BrokenArtefact."""
    if not path.exists():
        write_json(path, make())
    return dict(read_json(path))


def attack_from(kept: Mapping[str, Any]) -> Attack:
    """The attack that `dataclasses.asdict` and JSON made this of."""
    parts: dict[str, Any] = {
        "main": Arm(**kept["main"]),
        "control": kept["control"] and Arm(**kept["control"]),
        "excess": Excess(**kept["excess"]),
        "worst": tuple(Pair(**case) for case in kept["worst"]),
    }
    return Attack(**{**kept, **parts})


def _number(matcher: Matcher) -> int:
    return MATCHERS.index(matcher.name)


def _work_out(matcher: Matcher, stock: Stock, rng: np.random.Generator, run: RunDir) -> dict[str, Any]:
    people = stock.people
    known = calibrate_matcher(matcher, people.real, stock.copies, run, rng)
    levels = {level.target_fmr: level.threshold for level in known.calibration.levels}
    thresholds = {rate: limit for rate, limit in levels.items() if limit is not None}
    strictest = thresholds[min(thresholds)] if thresholds else None
    plants = matcher.extract(stock.plants, run)
    found = look_for(stock.plants, plants, people.training, known.views[people.training_rows])
    views = known.views
    if people.others:
        views = _joined(views, matcher.extract(people.others, run, views=True))
    synthetic = matcher.extract(stock.synthetic, run)
    seen = Seen(matcher.name, views, synthetic, thresholds)
    labels = [face.label for face in stock.synthetic]
    attacks, tones, left_out = attack_all(seen, people, labels, run, rng)
    alarms = None if strictest is None else _alarms(known, people, strictest, rng)
    return {
        "calibration": known.calibration.as_json() | {"false_alarms": alarms},
        "repeats": _repeats(synthetic, known.calibration, stock.synthetic, run),
        "hits": [] if strictest is None else found.hits(strictest).tolist(),
        "attacks": [dataclasses.asdict(each) for each in attacks],
        "tones": {tone: [dataclasses.asdict(each) for each in every] for tone, every in tones.items()},
        "left_out": left_out,
    }


def _repeats(synthetic: Templates, calibration: Calibration, faces: FaceSet, run: RunDir) -> dict[str, Any]:
    """How many synthetic faces repeat, in how many groups; the largest groups by id and as a picture."""
    found = find_repeats(synthetic, calibration)
    told = {
        "matcher": found.matcher,
        "threshold": found.threshold,
        "searched": found.faces,
        "faces": found.repeated,
        "groups": len(found.groups_G),
        "largest": ids(found, faces)[:_LARGEST],
    }
    if not found.groups_G:
        return told
    file = f"repeats/{found.matcher}.png"
    write_png(run.folder / file, sheet(found, faces))
    return told | {"file": file}


def _joined(one: Templates, two: Templates) -> Templates:
    return Templates(np.concatenate([one.rows_NVD, two.rows_NVD]))


def _alarms(
    known: CalibratedMatcher, people: People, threshold: float, rng: np.random.Generator
) -> dict[str, Any] | None:
    """How often people kept out are taken for people in training."""
    main, control = people.training_rows, people.kept_out_rows
    found = false_alarms(
        known.faces[control],
        [people.faces[row].person for row in control],
        known.views[main],
        [people.faces[row].person for row in main],
        threshold,
        rng,
    )
    return None if found is None else dataclasses.asdict(found)
