"""Canary recall and false matches of each matcher, on photos of known people.

--pairs FOLDER   JPEG photos named PERSON_*.jpg, two a person, such as the neutral and smiling faces of the
                 Face Research Lab London Set (DeBruine & Jones 2017)
--faces FOLDER   frontal faces of other people, as the synthetic set

Half of the people are members, half non-members. All photos are aligned first. Canaries of every kind are
written several times, each time with other alterations; the interval of false matches is over people.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import results

from anonderm.audit.canaries import canary_recall, search_canaries, write_canaries
from anonderm.audit.config import AuditConfig
from anonderm.audit.matcher_audit import false_matches
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.embeddings.alterations import copies_of
from anonderm.embeddings.calibration import CalibratedMatcher, calibrate_matcher
from anonderm.embeddings.matchers.registry import make_matcher
from anonderm.ingest.config import AlignConfig, IngestConfig
from anonderm.stages import STAGES, run_stage

MATCHERS = ("copy", "encoder", "dlib")


def aligned(source: Path, folder: Path, **settings: Any) -> FaceSet:
    config = IngestConfig(source=source, layout="flat", label="face", whole=True, **settings)
    run_stage(STAGES["ingest"], config, {}, folder / "photos")
    run_stage(STAGES["align"], AlignConfig(), {"faces": folder / "photos"}, folder / "aligned")
    return FaceSet.load(folder / "aligned" / "faces")


def measure(known: CalibratedMatcher, real: FaceSet, canaries: list[FaceSet], run: RunDir) -> dict[str, Any]:
    is_member_N = np.array([face.split == "train" for face in real])
    training, non_members = real.where(split="train"), real.where(split="test")
    views, outside = known.views[is_member_N], known.faces[~is_member_N]
    found = [search_canaries(each, known.matcher.extract(each, run), training, views) for each in canaries]
    alterations = [str(face.label) for each in canaries for face in each]
    numbers: dict[str, Any] = {"uninformative": known.calibration.uninformative, "eer": known.calibration.eer}
    numbers["genuine_pairs"] = f"{known.calibration.genuine} from {known.calibration.genuine_source}"
    numbers["impostor_pairs"] = known.calibration.impostor
    for level in known.calibration.levels:
        if level.threshold is None:
            continue
        found_R = np.concatenate(found) <= level.threshold
        people, training_people = ([face.person for face in side] for side in (non_members, training))
        matches = false_matches(
            outside, people, views, training_people, level.threshold, np.random.default_rng(0)
        )
        numbers[f"fmr {level.target_fmr:.1%}"] = {
            "threshold": level.threshold,
            "how": level.how,
            "fmr": level.fmr,
            "fnmr": level.fnmr,
            "canary_recall": {
                each.alteration: f"{each.recall.value:.1%} of {each.recall.n}"
                for each in canary_recall(known.matcher.name, alterations, found_R)
            },
            "false_matches": matches and {"pairs": matches.pairs_fmr, "faces": matches.faces_matched},
        }
    return numbers


def main(pairs: Path, faces: Path, work: Path) -> None:
    real = aligned(pairs, work / "real", subjects=r"^(\d+)_", test_share=0.5, val_share=0.0)
    synthetic = aligned(faces, work / "synthetic")
    training, people = real.where(split="train"), real.where(split="train").people
    numbers: dict[str, Any] = {"people": real.people, "in_training": people}
    with RunDir.open(work / "audit", "audit", AuditConfig(), {}) as run:
        canaries = [
            write_canaries(training, synthetic, people, seed, work / f"canaries-{seed}", run)
            for seed in range(8)
        ]
        copies = copies_of(real, real.people, 100, work / "copies", run)
        for name in MATCHERS:
            known = calibrate_matcher(make_matcher(name), real, copies, run, np.random.default_rng(0))
            # dlib takes 0.1 s per face, so it gets two of the eight sets
            numbers[name] = measure(known, real, canaries[: 2 if name == "dlib" else 8], run)
    results.write("audit_pairs", numbers)


if __name__ == "__main__":
    parser = results.argument_parser(__doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(options.pairs, options.faces, options.work or Path(temporary))
