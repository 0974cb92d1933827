"""The audit as a whole: a set that copies fails it, one of strangers passes, and a killed run resumes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from anonderm.audit import part, stage
from anonderm.audit.config import AuditConfig
from anonderm.audit.stage import audit
from anonderm.core.errors import InputError, MissingExtra, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image, resize
from anonderm.core.records import Face, Scores
from anonderm.core.rundir import RunDir
from anonderm.embeddings.extractors import embed
from anonderm.embeddings.matchers.matcher import Matcher, Templates

CONFIG = AuditConfig(matchers=("copy",), canaries=20, pairs=2)
TRAINED, KEPT_OUT = 80, 60


def portrait(rng: np.random.Generator) -> np.ndarray:
    return resize(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8), 32)


def people_set(folder: Path, photos: int = 2) -> FaceSet:
    """People in training and people kept out, with photos that differ by noise alone."""
    rng, writer = np.random.default_rng(0), FaceSetWriter(folder)
    for person in range(TRAINED + KEPT_OUT):
        look, ita = portrait(rng).astype(int), float(rng.choice([50.0, 20.0]))
        split = "train" if person < TRAINED else "test"
        for photo in range(photos):
            image = np.clip(look + rng.normal(0, 10, look.shape), 0, 255).astype(np.uint8)
            label = "mild" if person % 2 else "severe"
            face = Face(f"p{person:03d}-{photo}", subject=f"p{person:03d}", split=split, label=label, ita=ita)
            writer.add(image, face)
    return writer.finish()


def made_set(folder: Path, images: list[np.ndarray]) -> FaceSet:
    writer = FaceSetWriter(folder)
    for number, image in enumerate(images):
        writer.add(image, Face(id=f"s{number:03d}", label="mild" if number % 2 else "severe"))
    return writer.finish()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    return people_set(tmp_path_factory.mktemp("real") / "faces")


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    rng = np.random.default_rng(1)
    return made_set(tmp_path_factory.mktemp("strangers") / "faces", [portrait(rng) for _ in range(150)])


@pytest.fixture(scope="module")
def thieves(real: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """110 strangers, and a photo each of 40 people in training, half of them mirrored."""
    rng = np.random.default_rng(2)
    stolen = [real.image(face) for face in real.where(split="train").faces[:80:2]]
    stolen = [np.ascontiguousarray(image[:, ::-1]) if row % 2 else image for row, image in enumerate(stolen)]
    images = [portrait(rng) for _ in range(110)] + stolen
    return made_set(tmp_path_factory.mktemp("thieves") / "faces", images)


@dataclass(frozen=True)
class Quick:
    """Stands in for the copy detector, whose own tests are elsewhere: thumbnails, plain and mirrored."""

    name: str = "copy"
    recognises_people: bool = False

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        sides = (False, True) if views else (False,)
        return Templates.of(np.stack([embed(faces, "thumbnail", flip=flip) for flip in sides], axis=1))


def quick(name: str, arcface: str) -> Matcher:
    if name == "dlib":
        raise MissingExtra("no dlib here")
    return Quick()


def run_audit(
    folder: Path,
    real: FaceSet,
    synthetic: FaceSet,
    config: AuditConfig = CONFIG,
    others: FaceSet | None = None,
) -> Scores:
    with pytest.MonkeyPatch.context() as patch, RunDir.open(folder, "audit", config, {}) as run:
        patch.setattr(stage, "make_matcher", quick)
        return audit(config, real, synthetic, (), others, None, run)


@pytest.fixture(scope="module")
def honest(real: FaceSet, strangers: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Scores:
    return run_audit(tmp_path_factory.mktemp("honest"), real, strangers)


@pytest.fixture(scope="module")
def copying(real: FaceSet, thieves: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scores, Path]:
    folder = tmp_path_factory.mktemp("copying")
    return run_audit(folder, real, thieves), folder


def test_strangers_pass(honest: Scores) -> None:
    verdict = honest.details["verdicts"]["images"]
    assert verdict["passed"], verdict["reasons"]
    assert honest.scores["audit/rules failed"].value == 0
    assert honest.details["verdicts"]["weights"] == "not_tried"


def test_copies_fail_and_are_named(copying: tuple[Scores, Path], thieves: FaceSet) -> None:
    result, folder = copying
    failed = {rule["rule"] for rule in result.details["verdicts"]["images"]["rules"] if not rule["passed"]}
    assert {"reproduction[copy]/copies", "membership[copy]/AUC", "memorisation[copy]/nearer"} <= failed
    reproduced = next(each for each in result.details["attacks"] if each["name"] == "reproduction")
    assert reproduced["main"]["successes"] == 40
    assert reproduced["control"]["successes"] == 0
    assert {case["synthetic"] for case in reproduced["worst"]} <= {f"s{n:03d}" for n in range(110, 150)}
    assert len(reproduced["worst"]) == CONFIG.pairs
    for case in reproduced["worst"]:
        assert read_image(folder / case["file"]).shape[1] > 2 * 250


def test_the_audit_finds_what_it_hides(honest: Scores) -> None:
    for change in ("exact", "flip", "jpeg", "crop", "recolour"):
        assert honest.scores[f"plants_found[copy]/{change}"].value >= 0.95
        assert honest.scores[f"plants_found[any]/{change}"].n == 20


def test_every_attack_that_the_data_allow_is_told(honest: Scores) -> None:
    told = {each["name"] for each in honest.details["attacks"]}
    assert told == {
        "singling_out",
        "linkability",
        "inference",
        "membership",
        "density",
        "memorisation",
        "reproduction",
    }
    assert honest.details["people"] == {"training": TRAINED, "kept_out": KEPT_OUT}
    assert honest.details["faces"] == {"training": 160, "kept_out": 120, "synthetic": 150}
    assert {each["tone"] for each in honest.details["tones"]} == {"all", "light", "medium"}
    json.dumps(honest.details, allow_nan=False)


def test_an_audit_knows_which_set_it_was_of(honest: Scores, strangers: FaceSet) -> None:
    assert honest.details["synthetic"] == strangers.digest


def test_a_killed_audit_goes_on_with_the_part_that_was_cut_short(
    real: FaceSet, strangers: FaceSet, honest: Scores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, "_white_box", killed)
        with pytest.raises(KeyboardInterrupt):
            run_audit(tmp_path, real, strangers)
    monkeypatch.setattr(part, "attack_all", killed)  # the matcher's part is done: nothing is attacked again
    assert run_audit(tmp_path, real, strangers) == honest
    assert not (tmp_path / "parts").exists()
    assert not (tmp_path / "plants").exists()


def test_other_photos_of_the_same_people_sharpen_linkability(
    real: FaceSet, thieves: FaceSet, tmp_path: Path
) -> None:
    """The same looks under other noise: training saw none of these."""
    rng, writer = np.random.default_rng(9), FaceSetWriter(tmp_path / "others")
    for face in real.faces[::2]:
        noisy = np.clip(real.image(face) + rng.normal(0, 10, (32, 32, 3)), 0, 255).astype(np.uint8)
        writer.add(noisy, Face(f"other-{face.id}", subject=face.subject))
    writer.add(portrait(rng), Face("somebody-else", subject="nobody"))
    result = run_audit(tmp_path / "run", real, thieves, others=writer.finish())
    linked = next(each for each in result.details["attacks"] if each["name"] == "linkability")
    assert linked["main"]["people"] == TRAINED
    assert linked["main"]["value"] > 0.9
    assert all(case["real"].startswith("p") for case in linked["worst"])


def test_single_photos_leave_linkability_out_and_say_so(strangers: FaceSet, tmp_path: Path) -> None:
    result = run_audit(tmp_path / "run", people_set(tmp_path / "faces", photos=1), strangers)
    assert "linkability[copy]" in [entry["score"] for entry in result.details["left_out"]]
    assert result.details["matchers"][0]["genuine_source"] == "copies"


def test_without_people_kept_out_there_is_no_control(
    real: FaceSet, strangers: FaceSet, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="kept out"):
        run_audit(tmp_path / "run", real.where(split="train"), strangers)


def test_a_person_on_both_sides_is_refused(real: FaceSet, strangers: FaceSet, tmp_path: Path) -> None:
    moved = dataclasses.replace(real.faces[-1], subject="p000")
    mixed = FaceSet(real.folder, (*real.faces[:-1], moved))
    with pytest.raises(InputError, match="in training and kept out"):
        run_audit(tmp_path / "run", mixed, strangers)


def test_an_empty_synthetic_set_is_refused(real: FaceSet, strangers: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(TooFewImages, match="empty"):
        run_audit(tmp_path / "run", real, strangers.where(ids=set()))


def test_a_matcher_that_is_not_installed_is_left_out_and_the_last_one_is_an_error(
    real: FaceSet, strangers: FaceSet, tmp_path: Path
) -> None:
    both, none = (AuditConfig(matchers=names, canaries=20) for names in (("dlib", "copy"), ("dlib",)))
    result = run_audit(tmp_path / "run", real, strangers, both)
    assert {"score": "everything by dlib", "reason": "no dlib here"} in result.details["left_out"]
    with pytest.raises(MissingExtra):
        run_audit(tmp_path / "other", real, strangers, none)
