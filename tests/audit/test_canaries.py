from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from anonderm.audit.alarms import false_alarms
from anonderm.audit.canaries import OTHER_PHOTO, PLANTS, look_for, plant, shares
from anonderm.audit.config import AuditConfig
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import resize
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.embeddings.alterations import BLENDS, COPIES, blend, copy
from anonderm.embeddings.altered_copies import copies_of
from anonderm.embeddings.matchers.matcher import Templates


def picture(seed: int) -> np.ndarray:
    return resize(np.random.default_rng(seed).integers(40, 200, (6, 6, 3), dtype=np.uint8), 64)


@pytest.fixture
def run(tmp_path):
    with RunDir.open(tmp_path / "run", "audit", AuditConfig(), {}) as opened:
        yield opened


@pytest.fixture
def training(tmp_path) -> FaceSet:
    """Four people; the last has one photo, the others two."""
    writer = FaceSetWriter(tmp_path / "training")
    for photo in range(7):
        writer.add(picture(photo), Face(f"t{photo}", subject=f"p{photo // 2}"))
    return writer.finish()


@pytest.fixture
def synthetic(tmp_path) -> FaceSet:
    writer = FaceSetWriter(tmp_path / "synthetic")
    for seed in range(3):
        writer.add(picture(100 + seed), Face(f"s{seed}"))
    return writer.finish()


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_keeps_its_size_and_stays_like_its_original(change):
    images = [picture(seed) for seed in range(3)]
    for index, image in enumerate(images):
        changed = copy(image, change, np.random.default_rng(index))
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        turned = changed[:, ::-1] if change == "flip" else changed
        likeness = [np.corrcoef(turned.ravel(), other.ravel())[0, 1] for other in images]
        assert np.argmax(likeness) == index


def test_only_the_exact_copy_equals_its_original():
    image = picture(0)
    equal = {name for name in COPIES if np.array_equal(copy(image, name, np.random.default_rng(0)), image)}
    assert equal == {"exact"}


def test_a_blend_has_its_share_of_the_face_and_the_size_of_it():
    own, other = np.full((8, 8, 3), 200, np.uint8), np.full((16, 16, 3), 100, np.uint8)
    assert [int(blend(own, other, name)[0, 0, 0]) for name in BLENDS] == [175, 150, 125]
    assert blend(own, other, "blend50").shape == (8, 8, 3)


def test_every_leak_is_planted_for_every_person_and_another_photo_where_there_are_two(
    training, synthetic, tmp_path, run
):
    plants = plant(training, synthetic, 10, 0, tmp_path / "plants", run)
    counts = {change: sum(face.label == change for face in plants) for change in PLANTS}
    assert counts == {change: 3 if change == OTHER_PHOTO else 4 for change in PLANTS}
    of = {face.id: face for face in training}
    for face in plants:
        assert face.subject == of[face.parents[0]].subject
    exact = next(face for face in plants if face.label == "exact")
    assert np.array_equal(plants.image(exact), training.image(of[exact.parents[0]]))


def test_planting_that_was_cut_short_goes_on_to_the_same_plants(training, synthetic, tmp_path, run):
    whole = plant(training, synthetic, 3, 5, tmp_path / "whole", run)
    begun = FaceSetWriter(tmp_path / "begun")
    for face in whole.faces[::3]:
        begun.add(whole.image(face), dataclasses.replace(face, file="", sha256=""))
    assert plant(training, synthetic, 3, 5, tmp_path / "begun", run).digest == whole.digest
    assert plant(training, synthetic, 3, 6, tmp_path / "other", run).digest != whole.digest


def test_copies_to_calibrate_on_are_altered(training, tmp_path, run):
    copies = copies_of(training, 2, 0, tmp_path / "copies", run)
    assert [face.label for face in copies].count("exact") == 0
    assert len(copies) == 2 * (len(COPIES) - 1)


def on_a_line(*places: float) -> Templates:
    return Templates.of(np.array(places, np.float32).reshape(-1, 1, 1))


def planted(tmp_path, *rows: tuple[str, str, str]) -> FaceSet:
    faces = (Face(f"x{i}", label=c, subject=s, parents=(p,)) for i, (c, s, p) in enumerate(rows))
    return FaceSet(tmp_path, tuple(faces))


def test_a_plant_is_found_only_where_it_leads_to_the_right_person(training, tmp_path):
    plants = planted(tmp_path, ("flip", "p0", "t0"), ("flip", "p1", "t2"), ("jpeg", "p3", "t6"))
    views = on_a_line(0, 1, 2, 3, 4, 5, 6)
    found = look_for(plants, on_a_line(0.25, 0.5, np.nan), training, views)
    assert found.distances_R.tolist() == [0.25, np.inf, np.inf]
    assert shares(found.changes, found.hits(0.3))["flip"][:2] == (1, 2)
    assert not found.hits(0.2).any()


def test_another_photo_is_not_compared_with_itself(training, tmp_path):
    plants = planted(tmp_path, (OTHER_PHOTO, "p0", "t0"), (OTHER_PHOTO, "p1", "t2"))
    found = look_for(plants, on_a_line(0, 5), training, on_a_line(0, 1, 5, 9, 9, 9, 5.5))
    assert found.distances_R.tolist() == [1, np.inf]  # the second is nearest to somebody else


def test_false_alarms_are_counted_by_pairs_and_by_faces():
    control, views = on_a_line(0, 10, 20, np.nan), on_a_line(0.5, 0.6, 30)
    found = false_alarms(
        control, ["c0", "c1", "c2", "c3"], views, ["a", "a", "b"], 1.0, np.random.default_rng(0)
    )
    assert found.pairs[0] == pytest.approx(2 / 9)
    assert found.faces == pytest.approx(1 / 3)
    assert (found.n_pairs, found.n_faces) == (9, 3)


def test_nobody_seen_raises_no_alarm():
    unseen = on_a_line(np.nan)
    assert false_alarms(unseen, ["c"], on_a_line(1), ["a"], 1.0, np.random.default_rng(0)) is None
