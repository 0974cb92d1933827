"""Screening by people: who looks like somebody in training goes, strangers stay, two audits tell the rest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from anonderm.audit.canaries import plant
from anonderm.core.errors import ConfigError, InputError, MissingExtra, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import resize
from anonderm.core.records import Face, Scores
from anonderm.core.results.base import Score
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.curate.config import ScreenConfig
from anonderm.curate.privacy import Sighting, Watch, limit_at
from anonderm.curate.screen import screen
from anonderm.embeddings.calibration import Calibration, Level
from anonderm.embeddings.matchers import registry
from anonderm.embeddings.matchers.matcher import Templates
from anonderm.experiments import privacy_screen

TRAINED, KEPT_OUT, STRANGERS = 40, 40, 200

# So wide that only the look for people puts anything aside.
PLAIN = {"artefact_margin": 100.0, "deformed_factor": 100.0, "copy_quantile": 0.0, "duplicate_factor": 0.0}


@dataclass(frozen=True)
class Quick:
    """A matcher that knows people by where their picture is bright: thumbnails, plain and mirrored."""

    name: str = "copy"
    recognises_people: bool = True

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        small_NHW = np.stack([resize(faces.image(face), 8).mean(axis=2) for face in faces]) / 255
        sides = (small_NHW, small_NHW[:, :, ::-1]) if views else (small_NHW,)
        return Templates.of(np.stack([s.reshape(len(faces), -1) for s in sides], 1).astype(np.float32))


@dataclass(frozen=True)
class Random(Quick):
    """One that sees nothing: its rows are noise."""

    name: str = "encoder"

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        rng = np.random.default_rng(len(faces) + views)
        return Templates.of(rng.normal(size=(len(faces), 1 + views, 8)).astype(np.float32))


@pytest.fixture(autouse=True)
def _no_thumbnails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies would go as copies, before anybody looks at the person."""
    monkeypatch.setattr("anonderm.curate.screen._training_copies", lambda *_: {})


@pytest.fixture
def matchers(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What `make_matcher` gives for a name; an error is raised, as for a missing extra."""
    here: dict[str, object] = {
        "dlib": MissingExtra("dlib is not installed."),
        "copy": Quick(),
        "encoder": Random(),
    }

    def made(name: str, arcface: str = "") -> object:
        if isinstance(here[name], Exception):
            raise here[name]
        return here[name]

    monkeypatch.setattr(registry, "make_matcher", made)
    monkeypatch.setattr("anonderm.audit.stage.make_matcher", made)
    return here


def portrait(rng: np.random.Generator) -> np.ndarray:
    return resize(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8), 32)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    rng, writer = np.random.default_rng(0), FaceSetWriter(tmp_path_factory.mktemp("real") / "faces")
    for person in range(TRAINED + KEPT_OUT):
        look, split = portrait(rng).astype(int), "train" if person < TRAINED else "test"
        for photo in range(2):
            image = np.clip(look + rng.normal(0, 10, look.shape), 0, 255).astype(np.uint8)
            writer.add(image, Face(f"p{person:03d}-{photo}", subject=f"p{person:03d}", split=split))
    return writer.finish()


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [portrait(rng) for _ in range(STRANGERS)]


def written(folder: Path, images: list[np.ndarray], names: list[str] | None = None) -> FaceSet:
    writer = FaceSetWriter(folder)
    for number, image in enumerate(images):
        writer.add(image, Face(names[number] if names else f"s{number:03d}", seed=number))
    return writer.finish()


def screened(faces: FaceSet, real: FaceSet, out: Path, **settings) -> tuple[FaceSet, dict[str, str], str]:
    """The faces that passed, the reason of each that did not, and what was said."""
    config = ScreenConfig(**{**PLAIN, "privacy": True, **settings})
    with RunDir.open(out, "screen", config, {}) as run:
        kept = screen(config, faces, real, run)
        run.finish([])
    rejected = FaceSet.load(out / "rejected")
    assert len(kept) + len(rejected) == len(faces)
    return kept, {face.id: face.reason or "" for face in rejected}, (out / "log.txt").read_text()


@pytest.fixture
def no_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit itself is not what the test is about."""
    monkeypatch.setattr("anonderm.curate.screen.tell", lambda *_: None)


def test_planted_leaks_go_and_name_their_person(matchers, no_audit, real, strangers, tmp_path):
    trained = real.where(split="train")
    stock = written(tmp_path / "stock", strangers[:5])
    with RunDir.open(tmp_path / "planting", "planting", ScreenConfig(), {}) as run:
        plants = plant(trained, stock, 10, 0, tmp_path / "plants", run)
    wanted = [face for face in plants if face.label in ("exact", "flip", "jpeg", "other_photo")]
    images = strangers[:40] + [plants.image(face) for face in wanted]
    names = [f"s{n:03d}" for n in range(40)] + [face.id for face in wanted]
    _, reasons, _ = screened(written(tmp_path / "syn", images, names), real, tmp_path / "run")
    for face in wanted:
        code, _, told = reasons[face.id].partition(": ")
        assert code == "training-person"
        assert told.startswith("copy ")
        assert f" from {face.subject}-" in told


def test_strangers_stay_but_for_about_the_stated_share_of_pairs(
    matchers, no_audit, real, strangers, tmp_path
):
    kept, reasons, log = screened(written(tmp_path / "syn", strangers), real, tmp_path / "run", fmr=0.001)
    assert all(reason.startswith("training-person") for reason in reasons.values())
    assert len(reasons) / STRANGERS <= 3 * TRAINED * 2 * 0.001  # of as many photos; three times for chance
    assert len(kept) >= 0.76 * STRANGERS
    assert "real faces of people kept out of training" in log


def test_a_face_like_somebody_kept_out_stays(matchers, no_audit, real, strangers, tmp_path):
    stranger = real.where(split="test").faces[0]
    images = [*strangers[:20], real.image(stranger)]
    kept, _, _ = screened(written(tmp_path / "syn", images), real, tmp_path / "run", fmr=0.0001)
    assert "s020" in {face.id for face in kept}


def test_where_every_matcher_is_blind_it_says_so_and_screens_as_usual(
    matchers, no_audit, real, strangers, tmp_path
):
    stolen = real.image(real.where(split="train").faces[0])
    faces = written(tmp_path / "syn", [*strangers[:20], stolen, np.full_like(stolen, 128)])
    kept, reasons, log = screened(
        faces, real, tmp_path / "run", matchers=("encoder",), artefact_margin=0.5, artefact_quantile=1.0
    )
    assert "NO SEEING MATCHER" in log
    assert "encoder is blind" in log
    assert "0 training-person" in log
    assert set(reasons) >= {"s021"}
    assert not any("training-person" in reason for reason in reasons.values())
    assert "s020" in {face.id for face in kept}  # the thumbnail check is off here


def test_a_matcher_that_is_not_installed_is_left_out_and_said(matchers, no_audit, real, strangers, tmp_path):
    faces = written(tmp_path / "syn", strangers[:10])
    _, _, log = screened(faces, real, tmp_path / "run")
    assert "dlib is left out: dlib is not installed." in log
    with pytest.raises(MissingExtra):
        screened(faces, real, tmp_path / "other", matchers=("dlib",))


def test_nothing_left_is_an_error_that_speaks_of_the_rate(matchers, no_audit, real, tmp_path):
    train = real.where(split="train")
    faces = written(tmp_path / "syn", [real.image(face) for face in train.faces[:4]])
    with pytest.raises(TooFewImages, match="rejected all 4 faces") as error:
        screened(faces, real, tmp_path / "run")
    assert "4 training-person" in str(error.value)
    assert "--fmr" in error.value.hint
    assert len(FaceSet.load(tmp_path / "run" / "rejected")) == 4


def test_nobody_in_training_is_an_error(matchers, no_audit, real, strangers, tmp_path):
    faces = written(tmp_path / "syn", strangers[:4])
    with pytest.raises((InputError, TooFewImages), match="no face of split train"):
        screened(faces, real.where(split="test"), tmp_path / "run")


def test_two_audits_tell_both_sides_before_and_after(matchers, real, strangers, tmp_path):
    """Half of the people in training are in the set: the audit fails before, and sees none of them after."""
    stolen = [real.image(face) for face in real.where(split="train").faces[::4]]
    faces = written(tmp_path / "syn", strangers[:100] + stolen)
    kept, _, log = screened(faces, real, tmp_path / "run", fmr=0.01)
    told = json.loads((tmp_path / "run" / "privacy.json").read_text())
    assert told["put_aside"] == len(faces) - len(kept)
    rows = {(row["attack"], row["matcher"], row["level"]): row for row in told["audits"]["attacks"]}
    single = rows["singling_out", "copy", "FMR 1%"]
    assert single["by_construction"]
    assert single["before"]["training"]["value"] >= 0.5
    assert single["after"]["training"]["value"] == 0
    assert 0 < single["after"]["control"]["value"] <= single["before"]["control"]["value"]
    assert single["after"]["excess"][0] < 0 < single["before"]["excess"][0]
    assert not any(matcher == "encoder" for _, matcher, _ in rows)  # blind
    assert "by construction" in log
    assert "every matcher here that sees also chose the faces" in log
    audit = Scores.load(tmp_path / "run" / "audit" / "scores.json")
    assert "so by construction" in audit.details["left_out"][-1]["reason"]
    assert audit.details["synthetic"] == FaceSet.load(tmp_path / "run" / "faces").digest
    assert RunRecord.load(tmp_path / "run" / "audit-before").done


def test_a_stop_in_the_second_audit_resumes_to_the_same(matchers, real, strangers, tmp_path, monkeypatch):
    faces = written(tmp_path / "syn", [*strangers[:60], real.image(real.where(split="train").faces[0])])
    audited: list[int] = []

    def quick(config, real, synthetic, generators, others, run) -> Scores:
        audited.append(len(synthetic))
        if len(audited) == 2:
            raise KeyboardInterrupt
        attacks = [attack("singling_out", "copy", "FMR 1%", (0.1, 0.0, 0.2))]
        details = {
            "attacks": attacks,
            "matchers": [{"matcher": "copy", "uninformative": None}],
            "left_out": [],
        }
        return Scores({}, details | {"verdicts": {"images": {"passed": True}}})

    monkeypatch.setattr("anonderm.audit.stage.audit", quick)
    with pytest.raises(KeyboardInterrupt):
        screened(faces, real, tmp_path / "run")
    kept, reasons, _ = screened(faces, real, tmp_path / "run")
    assert audited == [61, len(kept), len(kept)]  # the first audit was not made again
    assert "s060" in reasons
    assert {face.id for face in kept} == {face.id for face in faces} - reasons.keys()
    assert json.loads((tmp_path / "run" / "privacy.json").read_text())["put_aside"] == len(reasons)


def test_without_people_kept_out_it_filters_and_says_that_nobody_audits(matchers, real, strangers, tmp_path):
    stolen = real.image(real.where(split="train").faces[0])
    faces = written(tmp_path / "syn", [*strangers[:10], stolen])
    _, reasons, log = screened(faces, real.where(split="train"), tmp_path / "run")
    assert "s010" in reasons
    assert "not audited: 40 people in training and 0 kept out" in log
    assert json.loads((tmp_path / "run" / "privacy.json").read_text())["audits"] is None


def attack(name: str, matcher: str, level: str, excess: tuple[float, float, float]) -> dict[str, object]:
    arm = {"value": 0.5, "people": 10, "successes": 5}
    return {
        "name": name,
        "matcher": matcher,
        "level": level,
        "main": arm,
        "control": arm,
        "excess": dict(zip(("value", "low", "high"), excess, strict=True)),
    }


def test_only_the_choosing_matcher_at_its_rate_or_below_is_so_by_construction():
    attacks = [
        attack("singling_out", matcher, level, (0, -1, 1))
        for matcher in ("dlib", "copy")
        for level in ("FMR 0.1%", "FMR 1%")
    ]
    matchers = [{"matcher": name, "uninformative": None} for name in ("dlib", "copy")]
    scores = Scores({"a": Score(0)}, {"attacks": attacks, "matchers": matchers})
    rows = privacy_screen.compare(scores, scores, ("copy",), 0.001)
    chosen = [(row["matcher"], row["level"]) for row in rows if row["by_construction"]]
    assert chosen == [("copy", "FMR 0.1%")]


def test_the_gap_that_a_filter_leaves_is_told():
    attacks = [attack("membership", "dlib", "AUC", (-0.2, -0.3, -0.1))]
    scores = Scores({}, {"attacks": attacks, "matchers": [{"matcher": "dlib", "uninformative": None}]})
    rows = privacy_screen.compare(scores, scores, (), 0.001)
    told = privacy_screen.lines(rows, Watch((Sighting("copy", 1.0, "measured", None, {}, None),), ()))
    assert any("a gap: dlib" in line for line in told)


def test_a_lower_rate_has_a_lower_limit_never_beyond_the_level_above():
    levels = (Level(0.001, 0.4, "measured"), Level(0.01, 0.5, "measured"))
    known = Calibration("dlib", 9, 0, 9, 9, "photos", 9, 9, 0.1, levels, None, (), (1.0, 0.1))
    assert limit_at(known, 0.01) == (0.5, "measured")
    assert limit_at(known, 0.001) == (0.4, "measured")
    assert limit_at(known, 0.005) == (0.5, "extrapolated")  # the normal tail would lie further out
    limit, how = limit_at(known, 1e-10)
    assert how == "extrapolated"
    assert limit is not None
    assert limit < 0.4
    none = Calibration("dlib", 9, 0, 9, 9, "photos", 9, 9, 0.1, levels, None, (), (0.2, 0.1))
    assert limit_at(none, 1e-10) == (None, "unreachable")


@pytest.mark.parametrize(
    "settings", [{"matchers": ()}, {"fmr": 0.0}, {"fmr": 0.5}, {"matchers": ("copy", "copy")}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        ScreenConfig(**settings)
