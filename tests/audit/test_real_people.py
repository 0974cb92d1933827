"""The copy detector on people who are known: every copy of a training photo is found, and nobody else."""

from __future__ import annotations

import numpy as np
import pytest

from anonderm.audit.alarms import false_alarms
from anonderm.audit.canaries import look_for, plant, shares
from anonderm.audit.config import AuditConfig
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image, resize, square
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.embeddings.alterations import COPIES
from anonderm.embeddings.altered_copies import copies_of
from anonderm.embeddings.calibrated import calibrate_matcher
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


def test_every_copy_of_a_training_photo_is_found_and_strangers_are_not(people, tmp_path):
    inside = np.array([face.split == "train" for face in people])
    training, control = people.where(split="train"), people.where(split="test")
    with RunDir.open(tmp_path / "run", "audit", AuditConfig(), {}) as run:
        plants = plant(training, control, PEOPLE, 0, tmp_path / "plants", run)
        copies = copies_of(people, PEOPLE // 2, 1, tmp_path / "copies", run)
        eye = calibrate_matcher(make_matcher("copy"), people, copies, run, np.random.default_rng(0))
        found = look_for(plants, eye.matcher.extract(plants, run), training, eye.views[inside])
    assert eye.calibration.uninformative is None
    assert eye.calibration.genuine_source == "copies"
    level = eye.calibration.levels[1]
    hits = shares(found.changes, found.hits(level.threshold))
    assert {change: hits[change][0] for change in COPIES} == dict.fromkeys(COPIES, PEOPLE // 2)
    names = [face.person for face in control], [face.person for face in training]
    alarms = false_alarms(
        eye.faces[~inside], names[0], eye.views[inside], names[1], level.threshold, np.random.default_rng(0)
    )
    assert alarms.pairs[0] <= level.fmr[2]
