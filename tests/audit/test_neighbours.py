from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from anonderm.audit.config import AuditConfig
from anonderm.audit.neighbours import Found, Gallery, _closer, _rank, _threshold, audit
from anonderm.core.errors import ConfigError, InputError, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image, resize
from anonderm.core.records import Face, Scores
from anonderm.core.rundir import RunDir

CONFIG = AuditConfig(extractors=("thumbnail",), plants=8, pairs=3)


def portrait(rng: np.random.Generator) -> np.ndarray:
    return resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), 64)


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> FaceSet:
    """30 people in training and 25 held out, two photos each."""
    rng = np.random.default_rng(0)
    writer = FaceSetWriter(tmp_path_factory.mktemp("real") / "faces")
    for person in range(55):
        look = portrait(rng).astype(int)
        split = "train" if person < 30 else "val" if person < 35 else "test"
        for photo in range(2):
            image = np.clip(look + rng.normal(0, 12, look.shape), 0, 255).astype(np.uint8)
            writer.add(image, Face(id=f"p{person:02d}-{photo}", subject=f"p{person:02d}", split=split))
    return writer.finish()


def synthetic_set(folder: Path, images: list[np.ndarray]) -> FaceSet:
    writer = FaceSetWriter(folder / "faces")
    for number, image in enumerate(images):
        writer.add(image, Face(id=f"s{number:03d}"))
    return writer.finish()


@pytest.fixture(scope="module")
def strangers(tmp_path_factory) -> FaceSet:
    rng = np.random.default_rng(1)
    return synthetic_set(tmp_path_factory.mktemp("strangers"), [portrait(rng) for _ in range(40)])


@pytest.fixture(scope="module")
def thieves(real, tmp_path_factory) -> FaceSet:
    """30 strangers and 10 training faces, half of them mirrored."""
    rng = np.random.default_rng(2)
    stolen = [real.image(face) for face in real.where(split="train").faces[:20:2]]
    stolen = [image[:, ::-1] if i % 2 else image for i, image in enumerate(stolen)]
    images = [portrait(rng) for _ in range(30)] + [np.ascontiguousarray(image) for image in stolen]
    return synthetic_set(tmp_path_factory.mktemp("thieves"), images)


def run_audit(folder: Path, real: FaceSet, synthetic: FaceSet, config: AuditConfig = CONFIG) -> Scores:
    with RunDir.open(folder, "audit", config, {}) as run:
        return audit(config, real, synthetic, run)


def test_copies_of_training_faces_are_found_mirrored_or_not(real, thieves, tmp_path):
    result = run_audit(tmp_path / "run", real, thieves)
    score = result.scores["closer[thumbnail]/5%"]
    assert score.value >= 0.25
    assert score.low > 0.05
    assert {pair["synthetic"] for pair in result.details["pairs"]} <= {f"s{n:03d}" for n in range(30, 40)}
    assert [pair["distance"] for pair in result.details["pairs"]] == [0.0, 0.0, 0.0]


def test_strangers_are_no_closer_than_held_out_people(real, strangers, tmp_path):
    scores = run_audit(tmp_path / "run", real, strangers).scores
    assert scores["closer[thumbnail]/5%"].low <= 0.05
    assert scores["authentic[thumbnail]/synthetic"].value == 1.0
    assert scores["ratio[thumbnail]/synthetic"].value > 0.9


def test_the_audit_finds_what_it_plants_itself(real, strangers, tmp_path):
    scores = run_audit(tmp_path / "run", real, strangers).scores
    for change in ("exact", "flip", "jpeg", "recolour"):
        assert scores[f"plants_found[thumbnail]/{change}"].value == 1.0
        assert scores[f"plants_found[thumbnail]/{change}"].n == 8


def test_pairs_are_saved_side_by_side(real, thieves, tmp_path):
    pairs = run_audit(tmp_path / "run", real, thieves).details["pairs"]
    assert len(pairs) == 3
    for pair in pairs:
        picture = read_image(tmp_path / "run" / pair["file"])
        assert picture.shape[1] > 2 * 250
        assert pair["training"].startswith("p")


def test_levels_that_the_held_out_faces_cannot_support_are_left_out(real, strangers, tmp_path):
    result = run_audit(tmp_path / "run", real, strangers)
    assert "closer[thumbnail]/1%" not in result.scores
    assert [entry["score"] for entry in result.details["left_out"]] == ["closer[thumbnail]/1%"]
    assert "50 held-out faces" in result.details["left_out"][0]["reason"]


def test_the_same_seed_gives_the_same_numbers_and_they_are_plain_json(real, strangers, tmp_path):
    first = run_audit(tmp_path / "first", real, strangers)
    assert first == run_audit(tmp_path / "again", real, strangers)
    json.dumps(first.details, allow_nan=False)
    assert first.details["faces"] == {"training": 60, "held_out": 50, "synthetic": 40}
    assert len(first.details["distances"]["thumbnail"]["held_out"]) == 50


def test_the_threshold_is_passed_by_as_many_strangers_as_the_note_says():
    """Held-out and synthetic distances of one distribution: P(at or below the k-th of n) = k / (n + 1)."""
    rng = np.random.default_rng(3)
    shares = []
    for _ in range(400):
        control = rng.exponential(size=39)
        shares.append(np.mean(rng.exponential(size=50) <= _threshold(control, 0.05)))
    assert np.mean(shares) == pytest.approx(_rank(0.05, 39) / 40, abs=0.007)


@pytest.mark.parametrize(("held_out", "rank"), [(18, 0), (19, 1), (38, 1), (39, 2), (99, 5)])
def test_a_level_needs_enough_held_out_faces(held_out: int, rank: int):
    assert _rank(0.05, held_out) == rank


def test_the_interval_does_not_vanish_where_no_face_is_close():
    def found(distances: np.ndarray) -> Found:
        count = len(distances)
        return Found(
            distances, np.zeros(count, int), np.ones(count), np.ones(count, bool), tuple(range(count))
        )

    score = _closer(found(np.full(30, 9.0)), found(np.linspace(1, 2, 40)), 0.05, np.random.default_rng(0))
    assert score.value == 0.0
    assert score.low == 0.0
    assert score.high > 0.05


def test_ratio_and_authenticity_are_those_of_hand_made_points():
    """Training: a at 0 and 1, b at 10; the ratio looks past the second photo of a."""
    gallery = Gallery(np.array([[0.0], [1.0], [10.0]]), np.array(["a", "a", "b"]), np.array([1.0, 1.0, 9.0]))
    rows = np.array([[0.2], [-5.0], [12.0]])
    found = gallery.search(rows, np.full_like(rows, 1e6), ["x", "y", "z"])
    assert found.distances == pytest.approx([0.2, 5.0, 2.0])
    assert found.indices.tolist() == [0, 0, 2]
    assert found.ratios == pytest.approx([0.2 / 9.8, 5 / 15, 2 / 11])
    assert found.authentic.tolist() == [False, True, False]


def test_the_mirrored_face_counts_where_it_is_closer():
    gallery = Gallery(np.array([[0.0], [10.0]]), np.array(["a", "b"]), np.array([10.0, 10.0]))
    found = gallery.search(np.array([[4.0], [4.0]]), np.array([[9.0], [5.0]]), ["x", "y"])
    assert found.distances == pytest.approx([1.0, 4.0])
    assert found.indices.tolist() == [1, 0]


def test_without_held_out_people_there_is_no_control(real, strangers, tmp_path):
    with pytest.raises(InputError, match="held out"):
        run_audit(tmp_path / "run", real.where(split="train"), strangers)


def test_an_empty_synthetic_set_is_refused(real, strangers, tmp_path):
    with pytest.raises(TooFewImages, match="empty"):
        run_audit(tmp_path / "run", real, strangers.where(ids=set()))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="plants"):
        AuditConfig(plants=0)
