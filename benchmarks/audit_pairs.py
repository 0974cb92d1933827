"""What the audit finds of leaks that are planted, and how often it cries wolf, on people who are known.

--pairs FOLDER   JPEG photos named PERSON_*.jpg, two a person, such as the neutral and smiling faces of the
                 Face Research Lab London Set (DeBruine & Jones 2017)
--faces FOLDER   frontal faces of nobody in it, as the synthetic set

Half of the people play training, half were kept out. All photos are aligned first. Leaks of every kind are
planted several times over, each time with other changes; the interval of false alarms is over people.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import results

from anonderm.audit.alarms import false_alarms
from anonderm.audit.canaries import look_for, plant, shares
from anonderm.audit.config import AuditConfig
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.embeddings.altered_copies import copies_of
from anonderm.embeddings.calibrated import CalibratedMatcher, calibrate_matcher
from anonderm.embeddings.matchers.registry import make_matcher
from anonderm.ingest.align.config import AlignConfig
from anonderm.ingest.config import IngestConfig
from anonderm.stages import STAGES, run_stage

MATCHERS = ("copy", "encoder", "dlib")


def aligned(source: Path, folder: Path, **settings: Any) -> FaceSet:
    config = IngestConfig(source=source, layout="flat", label="face", whole=True, **settings)
    run_stage(STAGES["ingest"], config, {}, folder / "photos")
    run_stage(STAGES["align"], AlignConfig(), {"faces": folder / "photos"}, folder / "aligned")
    return FaceSet.load(folder / "aligned" / "faces")


def measured(eye: CalibratedMatcher, real: FaceSet, planted: list[FaceSet], run: RunDir) -> dict[str, Any]:
    inside_N = np.array([face.split == "train" for face in real])
    training, control = real.where(split="train"), real.where(split="test")
    views, outside = eye.views[inside_N], eye.faces[~inside_N]
    found = [look_for(plants, eye.matcher.extract(plants, run), training, views) for plants in planted]
    changes = [change for each in found for change in each.changes]
    told: dict[str, Any] = {"uninformative": eye.calibration.uninformative, "eer": eye.calibration.eer}
    told["genuine_pairs"] = f"{eye.calibration.genuine} from {eye.calibration.genuine_source}"
    told["impostor_pairs"] = eye.calibration.impostor
    for level in eye.calibration.levels:
        if level.threshold is None:
            continue
        hits = np.concatenate([each.hits(level.threshold) for each in found])
        people = ([face.person for face in side] for side in (control, training))
        alarms = false_alarms(
            outside, next(people), views, next(people), level.threshold, np.random.default_rng(0)
        )
        told[f"fmr {level.target_fmr:.1%}"] = {
            "threshold": level.threshold,
            "how": level.how,
            "fmr": level.fmr,
            "fnmr": level.fnmr,
            "found": {change: f"{n} of {of}" for change, (n, of, _, _) in shares(changes, hits).items()},
            "false_alarms": None if alarms is None else {"pairs": alarms.pairs, "faces": alarms.faces},
        }
    return told


def main(pairs: Path, faces: Path, work: Path) -> None:
    real = aligned(pairs, work / "real", subjects=r"^(\d+)_", test_share=0.5, val_share=0.0)
    synthetic = aligned(faces, work / "synthetic")
    training, people = real.where(split="train"), real.where(split="train").people
    told: dict[str, Any] = {"people": real.people, "in_training": people}
    with RunDir.open(work / "audit", "audit", AuditConfig(), {}) as run:
        planted = [
            plant(training, synthetic, people, seed, work / f"plants-{seed}", run) for seed in range(8)
        ]
        copies = copies_of(real, real.people, 100, work / "copies", run)
        for name in MATCHERS:
            eye = calibrate_matcher(make_matcher(name), real, copies, run, np.random.default_rng(0))
            # dlib takes 0.1 s a face: two of the eight plantings
            told[name] = measured(eye, real, planted[: 2 if name == "dlib" else 8], run)
    results.write("audit_pairs", told)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(given.pairs, given.faces, given.work or Path(temporary))
