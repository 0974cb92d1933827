"""The whole audit: a set with copies fails, one of unrelated faces passes, and a killed run resumes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from anonderm.audit import audit as audit_module
from anonderm.audit import matcher_audit
from anonderm.audit.audit import audit
from anonderm.audit.config import AuditConfig
from anonderm.core.errors import InputError, MissingExtra, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image, resize
from anonderm.core.records import Face
from anonderm.core.results.audit import AuditResult, Side
from anonderm.core.results.base import LeftOut
from anonderm.core.rundir import RunDir
from anonderm.embeddings.extractors import embed
from anonderm.embeddings.matchers import registry
from anonderm.embeddings.matchers.matcher import Matcher, Templates

CONFIG = AuditConfig(matchers=("copy",), canaries=20, pairs=2)
MEMBERS, NON_MEMBERS = 80, 60


def portrait(rng: np.random.Generator) -> np.ndarray:
    return resize(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8), 32)


def people_set(folder: Path, photos: int = 2) -> FaceSet:
    """Members and non-members, with photos that differ by noise alone."""
    rng, writer = np.random.default_rng(0), FaceSetWriter(folder)
    for person in range(MEMBERS + NON_MEMBERS):
        look, ita = portrait(rng).astype(int), float(rng.choice([50.0, 20.0]))
        split = "train" if person < MEMBERS else "test"
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
def unrelated(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    rng = np.random.default_rng(1)
    return made_set(tmp_path_factory.mktemp("unrelated") / "faces", [portrait(rng) for _ in range(150)])


@pytest.fixture(scope="module")
def copies(real: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """110 unrelated faces, and a photo each of 40 members, half of them mirrored."""
    rng = np.random.default_rng(2)
    copied = [real.image(face) for face in real.where(split="train").faces[:80:2]]
    copied = [np.ascontiguousarray(image[:, ::-1]) if row % 2 else image for row, image in enumerate(copied)]
    images = [portrait(rng) for _ in range(110)] + copied
    return made_set(tmp_path_factory.mktemp("copies") / "faces", images)


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
) -> AuditResult:
    with pytest.MonkeyPatch.context() as patch, RunDir.open(folder, "audit", config, {}) as run:
        patch.setattr(registry, "make_matcher", quick)
        return audit(config, real, synthetic, (), others, None, run)


@pytest.fixture(scope="module")
def honest(real: FaceSet, unrelated: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> AuditResult:
    return run_audit(tmp_path_factory.mktemp("honest"), real, unrelated)


@pytest.fixture(scope="module")
def copying(
    real: FaceSet, copies: FaceSet, tmp_path_factory: pytest.TempPathFactory
) -> tuple[AuditResult, Path]:
    folder = tmp_path_factory.mktemp("copying")
    return run_audit(folder, real, copies), folder


def test_unrelated_faces_pass(honest: AuditResult) -> None:
    assert honest.images.passed, honest.images.reasons
    assert honest.scores()["failed rules/images"].value == 0
    assert honest.weights is None


def test_copies_fail_and_are_named(copying: tuple[AuditResult, Path], copies: FaceSet) -> None:
    result, folder = copying
    failed = {rule.about for rule in result.images.failed}
    assert {"reproduction[copy]/copies", "membership[copy]/AUC", "memorisation[copy]/nearer"} <= failed
    reproduced = next(each for each in result.attacks if each.name == "reproduction")
    assert reproduced.main.successes == 40
    assert reproduced.control is not None
    assert reproduced.control.successes == 0
    assert {pair.synthetic_id for pair in reproduced.worst} <= {f"s{n:03d}" for n in range(110, 150)}
    assert len(reproduced.worst) == CONFIG.pairs
    for pair in reproduced.worst:
        assert read_image(folder / pair.file).shape[1] > 2 * 250


def test_the_audit_finds_its_canaries(honest: AuditResult) -> None:
    for change in ("exact", "flip", "jpeg", "crop", "recolour"):
        assert honest.scores()[f"canary_recall[copy]/{change}"].value >= 0.95
        assert honest.scores()[f"canary_recall[any]/{change}"].n == 20


def test_every_attack_that_the_data_allow_is_reported(honest: AuditResult) -> None:
    names = {each.name for each in honest.attacks}
    assert names == {
        "singling_out",
        "linkability",
        "attribute_inference",
        "membership",
        "density",
        "memorisation",
        "reproduction",
    }
    assert honest.members == Side(MEMBERS, 160)
    assert honest.non_members == Side(NON_MEMBERS, 120)
    assert honest.synthetic_faces == 150
    assert {each.tone for each in honest.tones} == {"all", "light", "medium"}
    assert {rule.about for rule in honest.images.rules if rule.kind == "tone"} == {"light", "medium"}


def test_the_headline_states_failed_rules_singling_out_and_membership(honest: AuditResult) -> None:
    failed, singled_out, membership = honest.headline().values()
    assert failed.value == 0
    assert singled_out == honest.scores()["singling_out[copy]/FMR 0.1%"]
    assert membership == honest.scores()["membership[copy]/AUC"]


def test_a_result_is_read_back_as_it_was_saved(honest: AuditResult, tmp_path: Path) -> None:
    honest.save(tmp_path / "results.json")
    assert AuditResult.load(tmp_path / "results.json") == honest


def test_an_audit_records_which_set_it_is_of(honest: AuditResult, unrelated: FaceSet) -> None:
    assert honest.synthetic == unrelated.digest


def test_a_killed_audit_does_not_repeat_finished_matchers(
    real: FaceSet, unrelated: FaceSet, honest: AuditResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(audit_module, "_white_box", killed)
        with pytest.raises(KeyboardInterrupt):
            run_audit(tmp_path, real, unrelated)
    monkeypatch.setattr(matcher_audit, "attack_all", killed)  # the matcher is done: it attacks nothing again
    assert run_audit(tmp_path, real, unrelated) == honest
    assert not (tmp_path / "canaries").exists()


def test_other_photos_of_the_same_people_sharpen_linkability(
    real: FaceSet, copies: FaceSet, tmp_path: Path
) -> None:
    """The same faces with other noise, not used for training."""
    rng, writer = np.random.default_rng(9), FaceSetWriter(tmp_path / "others")
    for face in real.faces[::2]:
        noisy = np.clip(real.image(face) + rng.normal(0, 10, (32, 32, 3)), 0, 255).astype(np.uint8)
        writer.add(noisy, Face(f"other-{face.id}", subject=face.subject))
    writer.add(portrait(rng), Face("somebody-else", subject="nobody"))
    result = run_audit(tmp_path / "run", real, copies, others=writer.finish())
    linked = next(each for each in result.attacks if each.name == "linkability")
    assert linked.main.people == MEMBERS
    assert linked.main.value > 0.9
    assert all(pair.real_id.startswith("p") for pair in linked.worst)


def test_linkability_is_left_out_without_second_photos(unrelated: FaceSet, tmp_path: Path) -> None:
    result = run_audit(tmp_path / "run", people_set(tmp_path / "faces", photos=1), unrelated)
    assert "linkability[copy]" in [entry.name for entry in result.left_out]
    assert result.matchers[0].genuine_source == "copies"


def test_without_non_members_there_is_no_control(real: FaceSet, unrelated: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="non-members"):
        run_audit(tmp_path / "run", real.where(split="train"), unrelated)


def test_a_person_on_both_sides_is_refused(real: FaceSet, unrelated: FaceSet, tmp_path: Path) -> None:
    moved = dataclasses.replace(real.faces[-1], subject="p000")
    mixed = FaceSet(real.folder, (*real.faces[:-1], moved))
    with pytest.raises(InputError, match="both members and non-members"):
        run_audit(tmp_path / "run", mixed, unrelated)


def test_an_empty_synthetic_set_is_refused(real: FaceSet, unrelated: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(TooFewImages, match="empty"):
        run_audit(tmp_path / "run", real, unrelated.where(ids=set()))


def test_a_matcher_that_is_not_installed_is_left_out_and_the_last_one_is_an_error(
    real: FaceSet, unrelated: FaceSet, tmp_path: Path
) -> None:
    both, none = (AuditConfig(matchers=names, canaries=20) for names in (("dlib", "copy"), ("dlib",)))
    result = run_audit(tmp_path / "run", real, unrelated, both)
    assert LeftOut("everything by dlib", "no dlib here") in result.left_out
    with pytest.raises(MissingExtra):
        run_audit(tmp_path / "other", real, unrelated, none)
