from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from anonderm.audit.canaries import ALTERATIONS, OTHER_PHOTO, canary_recall, search_canaries, write_canaries
from anonderm.audit.config import AuditConfig
from anonderm.audit.matcher_audit import false_matches
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import resize
from anonderm.core.records import Face
from anonderm.core.results.verdict import COPIES
from anonderm.core.rundir import RunDir
from anonderm.embeddings.alterations import BLENDS, blend, copies_of, copy
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
def test_an_altered_copy_keeps_its_size_and_is_most_similar_to_its_original(change):
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


def test_a_blend_has_the_stated_share_and_the_size_of_the_face():
    own, other = np.full((8, 8, 3), 200, np.uint8), np.full((16, 16, 3), 100, np.uint8)
    assert [int(blend(own, other, name)[0, 0, 0]) for name in BLENDS] == [175, 150, 125]
    assert blend(own, other, "blend50").shape == (8, 8, 3)


def test_every_person_has_every_canary_and_another_photo_where_there_are_two(
    training, synthetic, tmp_path, run
):
    canaries = write_canaries(training, synthetic, 10, 0, tmp_path / "canaries", run)
    counts = {change: sum(face.label == change for face in canaries) for change in ALTERATIONS}
    assert counts == {change: 3 if change == OTHER_PHOTO else 4 for change in ALTERATIONS}
    of = {face.id: face for face in training}
    for face in canaries:
        assert face.subject == of[face.parents[0]].subject
    exact = next(face for face in canaries if face.label == "exact")
    assert np.array_equal(canaries.image(exact), training.image(of[exact.parents[0]]))


def test_writing_that_was_cut_short_resumes_to_the_same_canaries(training, synthetic, tmp_path, run):
    whole = write_canaries(training, synthetic, 3, 5, tmp_path / "whole", run)
    begun = FaceSetWriter(tmp_path / "begun")
    for face in whole.faces[::3]:
        begun.add(whole.image(face), dataclasses.replace(face, file="", sha256=""))
    assert write_canaries(training, synthetic, 3, 5, tmp_path / "begun", run).digest == whole.digest
    assert write_canaries(training, synthetic, 3, 6, tmp_path / "other", run).digest != whole.digest


def test_copies_to_calibrate_on_are_altered(training, tmp_path, run):
    copies = copies_of(training, 2, 0, tmp_path / "copies", run)
    assert [face.label for face in copies].count("exact") == 0
    assert len(copies) == 2 * (len(COPIES) - 1)


def on_a_line(*places: float) -> Templates:
    return Templates.of(np.array(places, np.float32).reshape(-1, 1, 1))


def canary_set(tmp_path, *rows: tuple[str, str, str]) -> FaceSet:
    faces = (Face(f"x{i}", label=c, subject=s, parents=(p,)) for i, (c, s, p) in enumerate(rows))
    return FaceSet(tmp_path, tuple(faces))


def test_a_canary_is_found_only_if_it_leads_to_the_right_person(training, tmp_path):
    canaries = canary_set(tmp_path, ("flip", "p0", "t0"), ("flip", "p1", "t2"), ("jpeg", "p3", "t6"))
    views = on_a_line(0, 1, 2, 3, 4, 5, 6)
    found = search_canaries(canaries, on_a_line(0.25, 0.5, np.nan), training, views)
    assert found.tolist() == [0.25, np.inf, np.inf]
    flip, jpeg = canary_recall("copy", [str(face.label) for face in canaries], found <= 0.3)
    assert (flip.alteration, flip.recall.value, flip.recall.n) == ("flip", 0.5, 2)
    assert (jpeg.alteration, jpeg.recall.value) == ("jpeg", 0)
    assert not (found <= 0.2).any()


def test_another_photo_is_not_compared_with_itself(training, tmp_path):
    canaries = canary_set(tmp_path, (OTHER_PHOTO, "p0", "t0"), (OTHER_PHOTO, "p1", "t2"))
    found = search_canaries(canaries, on_a_line(0, 5), training, on_a_line(0, 1, 5, 9, 9, 9, 5.5))
    assert found.tolist() == [1, np.inf]  # the second is nearest to somebody else


def test_false_matches_are_counted_by_pairs_and_by_faces():
    control, views = on_a_line(0, 10, 20, np.nan), on_a_line(0.5, 0.6, 30)
    found = false_matches(
        control, ["c0", "c1", "c2", "c3"], views, ["a", "a", "b"], 1.0, np.random.default_rng(0)
    )
    assert found.pairs_fmr[0] == pytest.approx(2 / 9)
    assert found.faces_matched == pytest.approx(1 / 3)
    assert (found.pairs, found.faces) == (9, 3)


def test_without_an_enrolled_face_there_are_no_false_matches():
    not_enrolled = on_a_line(np.nan)
    assert false_matches(not_enrolled, ["c"], on_a_line(1), ["a"], 1.0, np.random.default_rng(0)) is None
