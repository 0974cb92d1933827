"""The copy detector on known people: every copy of a training photo is found, and nobody else."""

from __future__ import annotations

import numpy as np
import pytest

from anonderm.audit.canaries import canary_recall, search_canaries, write_canaries
from anonderm.audit.config import AuditConfig
from anonderm.audit.matcher_audit import false_matches
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image, resize, square
from anonderm.core.records import Face
from anonderm.core.results.verdict import COPIES
from anonderm.core.rundir import RunDir
from anonderm.embeddings.alterations import copies_of
from anonderm.embeddings.calibration import calibrate_matcher
from anonderm.embeddings.matchers.registry import make_matcher

PEOPLE = 10


@pytest.fixture
def people(shared_data, tmp_path) -> FaceSet:
    """Two photos each; the first half in training."""
    writer = FaceSetWriter(tmp_path / "people")
    names = sorted({file.name[:3] for file in (shared_data / "pairs").glob("*.jpg")})[:PEOPLE]
    for index, name in enumerate(names):
        for look in ("neutral", "smiling"):
            photo = np.ascontiguousarray(square(read_image(shared_data / "pairs" / f"{name}_{look}.jpg")))
            split = "train" if index < PEOPLE // 2 else "test"
            writer.add(resize(photo, 192), Face(f"{name}-{look}", subject=name, split=split))
    return writer.finish()


def test_every_copy_of_a_training_photo_is_found_and_non_members_are_not(people, tmp_path):
    inside = np.array([face.split == "train" for face in people])
    training, control = people.where(split="train"), people.where(split="test")
    with RunDir.open(tmp_path / "run", "audit", AuditConfig(), {}) as run:
        canaries = write_canaries(training, control, PEOPLE, 0, tmp_path / "canaries", run)
        copies = copies_of(people, PEOPLE // 2, 1, tmp_path / "copies", run)
        known = calibrate_matcher(make_matcher("copy"), people, copies, run, np.random.default_rng(0))
        found = search_canaries(canaries, known.matcher.extract(canaries, run), training, known.views[inside])
    assert known.calibration.uninformative is None
    assert known.calibration.genuine_source == "copies"
    level = known.calibration.levels[1]
    recall = canary_recall("copy", [str(face.label) for face in canaries], found <= level.threshold)
    by_alteration = {each.alteration: each.recall for each in recall}
    assert all((by_alteration[each].value, by_alteration[each].n) == (1, PEOPLE // 2) for each in COPIES)
    names = [face.person for face in control], [face.person for face in training]
    matches = false_matches(
        known.faces[~inside],
        names[0],
        known.views[inside],
        names[1],
        level.threshold,
        np.random.default_rng(0),
    )
    assert matches.pairs_fmr[0] <= level.fmr[2]
