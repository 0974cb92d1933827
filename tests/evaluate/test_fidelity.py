from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from anonderm.core.errors import InputError, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import resize
from anonderm.core.records import Face
from anonderm.core.results.fidelity import FidelityResult, SetDistances
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import FidelityConfig
from anonderm.evaluate.fidelity import NAMES, Side, compare, evaluate_fidelity
from anonderm.metrics.frechet import frechet_distance
from anonderm.metrics.mmd import kernel_distance

CONFIG = FidelityConfig(extractors=("thumbnail",), neighbours=3)
RNG_SEED = 0


def write_faces(folder: Path, rng: np.random.Generator, counts: dict[tuple[str, str | None], int]) -> FaceSet:
    """Smooth random pictures; counts: how many by (label, split)."""
    writer = FaceSetWriter(folder)
    for (label, split), count in counts.items():
        for number in range(count):
            image = resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), 64)
            name = f"{label}-{split}-{number:03d}"
            writer.add(image, Face(id=name, label=label, split=split))
    return writer.finish()


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> FaceSet:
    counts = {("healthy", "train"): 14, ("mild", "train"): 12, ("healthy", "test"): 10, ("mild", "test"): 3}
    return write_faces(tmp_path_factory.mktemp("real") / "faces", np.random.default_rng(0), counts)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory) -> FaceSet:
    counts = {("healthy", None): 30, ("mild", None): 9, ("severe", None): 5}
    return write_faces(tmp_path_factory.mktemp("synthetic") / "faces", np.random.default_rng(1), counts)


def run_stage(folder: Path, real: FaceSet, synthetic: FaceSet) -> FidelityResult:
    with RunDir.open(folder, "evaluate fidelity", CONFIG, {}) as run:
        return evaluate_fidelity(CONFIG, real, synthetic, run)


def measures(distances: SetDistances) -> set[str]:
    return {field.name for field in dataclasses.fields(distances) if getattr(distances, field.name)}


def test_every_score_has_a_baseline(real, synthetic, tmp_path):
    result = run_stage(tmp_path / "run", real, synthetic)
    parts = result.extractors["thumbnail"].parts
    assert list(parts) == ["all", "healthy", "mild"]
    for part in parts.values():
        assert measures(part.synthetic) == measures(part.baseline)
    assert "precision" in measures(parts["healthy"].synthetic)
    for score in result.scores().values():
        assert score.low is None or score.low <= score.value <= score.high
    assert parts["all"].synthetic.kernel.higher_is_better is False
    assert parts["all"].synthetic.coverage.higher_is_better is True


def test_scores_and_baseline_compare_equally_many_faces(real, synthetic, tmp_path):
    parts = run_stage(tmp_path / "run", real, synthetic).extractors["thumbnail"].parts
    assert parts["healthy"].synthetic.kernel.n == parts["healthy"].baseline.kernel.n == 14
    assert parts["mild"].synthetic.kernel.n == parts["mild"].baseline.kernel.n == 9
    assert (parts["mild"].reference, parts["mild"].compared) == (3, 9)


def test_what_few_images_cannot_support_is_left_out_with_the_reason(real, synthetic, tmp_path):
    result = run_stage(tmp_path / "run", real, synthetic)
    left_out = {each.name: each.reason for each in result.left_out}
    assert "one has 3" in left_out["thumbnail/mild/synthetic/coverage"]
    assert "one has 3" in left_out["thumbnail/mild/baseline/precision"]
    assert result.extractors["thumbnail"].parts["mild"].synthetic.coverage is None
    assert "left out thumbnail/mild/synthetic/precision" in (tmp_path / "run" / "log.txt").read_text()


def test_the_same_seed_gives_the_same_scores_and_they_survive_the_disk(real, synthetic, tmp_path):
    first = run_stage(tmp_path / "first", real, synthetic)
    again = run_stage(tmp_path / "again", real, synthetic)
    assert first == again
    first.save(tmp_path / "results.json")
    assert FidelityResult.load(tmp_path / "results.json") == first


def test_the_projection_shows_both_sets(real, synthetic, tmp_path):
    projection = run_stage(tmp_path / "run", real, synthetic).extractors["thumbnail"].projection
    drawn = [point.set for point in projection.points]
    assert drawn.count("real") == 13
    assert drawn.count("synthetic") == 44
    assert 1 >= projection.explained[0] >= projection.explained[1] >= 0


def side(rng: np.random.Generator, rows: int, shift: float = 0.0) -> Side:
    embeddings = rng.normal(shift, 1.0, (rows, 6)).astype(np.float32)
    return Side(embeddings, (None,) * rows, tuple(range(rows)))


def test_compare_gives_the_distances_of_the_embeddings():
    rng = np.random.default_rng(0)
    real, fake = side(rng, 40), side(rng, 50, 0.4)
    scores, reasons = compare(real, fake, 5, rng)
    assert not reasons
    assert scores.kernel.value == pytest.approx(kernel_distance(real.embeddings, fake.embeddings))
    assert scores.frechet.value == pytest.approx(frechet_distance(real.embeddings, fake.embeddings))


def test_the_frechet_distance_of_few_faces_is_noted_as_biased():
    rng = np.random.default_rng(0)
    few, many = (compare(side(rng, rows), side(rng, rows), 5, rng)[0] for rows in (40, 400))
    assert "biased" in few.frechet.note
    assert "biased" not in many.frechet.note
    assert many.frechet_infinity.value < many.frechet.value


def test_only_over_inception_is_a_distance_called_fid():
    assert NAMES.keys() == {"inception", "dinov2"}
    assert (NAMES["inception"]["frechet"], NAMES["inception"]["kernel"]) == ("FID", "KID")
    assert NAMES["dinov2"]["frechet"] == "FD-DINOv2"


def test_the_names_of_the_literature_are_in_the_result(real, synthetic, tmp_path):
    assert run_stage(tmp_path / "run", real, synthetic).extractors["thumbnail"].names == {}


def test_the_interval_of_the_kernel_distance_covers_the_truth():
    """Equal distributions: the truth is 0."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(30):
        scores, _ = compare(side(rng, 40), side(rng, 40), 5, rng)
        covered += scores.kernel.low <= 0 <= scores.kernel.high
    assert covered >= 25


def test_people_with_many_photos_widen_the_interval():
    rng = np.random.default_rng(2)
    looks = rng.normal(size=(15, 6)).astype(np.float32)
    rows = np.repeat(looks, 8, axis=0) + 0.05 * rng.normal(size=(120, 6)).astype(np.float32)
    other = side(rng, 120)
    labels = (None,) * 120

    def width(groups: tuple) -> float:
        score = compare(Side(rows, labels, groups), other, 5, np.random.default_rng(3))[0].kernel
        return score.high - score.low

    assert width(tuple(i // 8 for i in range(120))) > 1.5 * width(tuple(range(120)))


def test_without_a_test_split_there_is_nothing_to_compare_with(real, synthetic, tmp_path):
    with pytest.raises(InputError, match="test split"):
        run_stage(tmp_path / "run", real.where(split="train"), synthetic)


def test_an_empty_synthetic_set_is_refused(real, synthetic, tmp_path):
    with pytest.raises(TooFewImages, match="empty"):
        run_stage(tmp_path / "run", real, synthetic.where(label="none"))
