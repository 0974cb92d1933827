"""Privacy screening: faces that match a training subject are rejected, others stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.curate.quick_matchers import (
    MEMBERS,
    NON_MEMBERS,
    UNRELATED,
    Brightness,
    Noise,
    people,
    portraits,
    written,
)

from anonderm.audit.canaries import write_canaries
from anonderm.core.errors import ConfigError, InputError, MissingExtra, MissingWeights, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.results.audit import Calibration, Level
from anonderm.core.results.privacy_screen import PrivacyScreen
from anonderm.core.rundir import RunDir
from anonderm.curate.config import ScreenConfig
from anonderm.curate.privacy import threshold_at
from anonderm.curate.screen import screen
from anonderm.embeddings.matchers import registry

# So loose that only the privacy screen rejects faces.
PLAIN = {"artefact_margin": 100.0, "deformed_factor": 100.0, "copy_quantile": 0.0, "duplicate_factor": 0.0}


@pytest.fixture(autouse=True)
def _no_thumbnails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies would be rejected as copies before they are compared with people."""
    monkeypatch.setattr("anonderm.curate.screen._training_copies", lambda *_: {})


@pytest.fixture
def matchers(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What `make_matcher` gives for a name; an error is raised, as for a missing extra."""
    here: dict[str, object] = {
        "dlib": MissingExtra("dlib is not installed."),
        "sface": MissingWeights("sface: these weights are missing."),
        "copy": Brightness(),
        "encoder": Noise(),
    }

    def made(name: str, arcface: str = "") -> object:
        if isinstance(here[name], Exception):
            raise here[name]
        return here[name]

    monkeypatch.setattr(registry, "make_matcher", made)
    return here


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    return people(tmp_path_factory.mktemp("real") / "faces")


@pytest.fixture(scope="module")
def unrelated() -> list[np.ndarray]:
    return portraits()


def screened(faces: FaceSet, real: FaceSet, out: Path, **settings) -> tuple[FaceSet, dict[str, str], str]:
    """The faces that passed, the reason of each that did not, and the log."""
    config = ScreenConfig(**{**PLAIN, "privacy": True, **settings})
    with RunDir.open(out, "screen", config, {}) as run:
        kept = screen(config, faces, real, run)
        run.finish([])
    rejected = FaceSet.load(out / "rejected")
    assert len(kept) + len(rejected) == len(faces)
    return kept, {face.id: face.reason or "" for face in rejected}, (out / "log.txt").read_text()


def test_canaries_are_rejected_with_the_person_they_match(matchers, real, unrelated, tmp_path):
    trained = real.where(split="train")
    stock = written(tmp_path / "stock", unrelated[:5])
    with RunDir.open(tmp_path / "canaries-run", "canaries-run", ScreenConfig(), {}) as run:
        canaries = write_canaries(trained, stock, 10, 0, tmp_path / "canaries", run)
    wanted = [face for face in canaries if face.label in ("exact", "flip", "jpeg", "other_photo")]
    images = unrelated[:40] + [canaries.image(face) for face in wanted]
    names = [f"s{n:03d}" for n in range(40)] + [face.id for face in wanted]
    _, reasons, _ = screened(written(tmp_path / "syn", images, names), real, tmp_path / "run")
    for face in wanted:
        code, _, told = reasons[face.id].partition(": ")
        assert code == "training-person"
        assert told.startswith("copy ")
        assert f" from {face.subject}-" in told


def test_unrelated_faces_stay_except_for_about_the_stated_share(matchers, real, unrelated, tmp_path):
    kept, reasons, log = screened(written(tmp_path / "syn", unrelated), real, tmp_path / "run", fmr=0.001)
    assert all(reason.startswith("training-person") for reason in reasons.values())
    assert len(reasons) / UNRELATED <= 3 * MEMBERS * 2 * 0.001  # of as many photos; three times for chance
    assert len(kept) >= 0.76 * UNRELATED
    assert "photos of non-members" in log


def test_a_face_like_a_non_member_stays(matchers, real, unrelated, tmp_path):
    stranger = real.where(split="test").faces[0]
    images = [*unrelated[:20], real.image(stranger)]
    kept, _, _ = screened(written(tmp_path / "syn", images), real, tmp_path / "run", fmr=0.0001)
    assert "s020" in {face.id for face in kept}


def test_without_an_informative_matcher_it_logs_so_and_screens_as_usual(matchers, real, unrelated, tmp_path):
    stolen = real.image(real.where(split="train").faces[0])
    faces = written(tmp_path / "syn", [*unrelated[:20], stolen, np.full_like(stolen, 128)])
    kept, reasons, log = screened(
        faces, real, tmp_path / "run", matchers=("encoder",), artefact_margin=0.5, artefact_quantile=1.0
    )
    assert "NO MATCHER IS INFORMATIVE" in log
    assert "encoder is uninformative" in log
    assert "0 training-person" in log
    assert set(reasons) >= {"s021"}
    assert not any("training-person" in reason for reason in reasons.values())
    assert "s020" in {face.id for face in kept}  # the thumbnail check is off here


def test_a_matcher_that_is_not_installed_is_left_out_and_logged(matchers, real, unrelated, tmp_path):
    faces = written(tmp_path / "syn", unrelated[:10])
    _, _, log = screened(faces, real, tmp_path / "run")
    assert "dlib is left out: dlib is not installed." in log
    with pytest.raises(MissingExtra):
        screened(faces, real, tmp_path / "other", matchers=("dlib",))


def test_the_record_counts_what_each_matcher_rejected(matchers, real, unrelated, tmp_path):
    stolen = [real.image(face) for face in real.where(split="train").faces[:8:2]]
    faces = written(tmp_path / "syn", [*unrelated[:20], *stolen])
    _, reasons, _ = screened(faces, real, tmp_path / "run", fmr=0.001)
    record = PrivacyScreen.load(tmp_path / "run" / "privacy.json")
    assert record.rejected == len(reasons) == record.matchers[0].matched
    assert record.informative == ("copy",)
    assert record.matchers[0].non_members == 2 * NON_MEMBERS
    assert record.matchers[1].uninformative
    assert record.left_out[0].name == "dlib"
    assert "by construction" in (record.caveat or "")


def test_rejecting_every_face_is_an_error_that_suggests_a_lower_rate(matchers, real, tmp_path):
    train = real.where(split="train")
    faces = written(tmp_path / "syn", [real.image(face) for face in train.faces[:4]])
    with pytest.raises(TooFewImages, match="rejected all 4 faces") as error:
        screened(faces, real, tmp_path / "run")
    assert "4 training-person" in str(error.value)
    assert "--fmr" in error.value.hint
    assert len(FaceSet.load(tmp_path / "run" / "rejected")) == 4


def test_a_set_without_training_faces_is_an_error(matchers, real, unrelated, tmp_path):
    faces = written(tmp_path / "syn", unrelated[:4])
    with pytest.raises((InputError, TooFewImages), match="no face of split train"):
        screened(faces, real.where(split="test"), tmp_path / "run")


def test_a_lower_rate_has_a_lower_threshold_never_above_the_next_level():
    levels = (Level(0.001, 0.4, "measured"), Level(0.01, 0.5, "measured"))
    known = Calibration("dlib", 9, 0, 9, 9, "photos", 9, 9, 0.1, levels, None, (), (1.0, 0.1))
    assert threshold_at(known, 0.01) == (0.5, "measured")
    assert threshold_at(known, 0.001) == (0.4, "measured")
    assert threshold_at(known, 0.005) == (0.5, "extrapolated")  # the normal tail would lie further out
    limit, how = threshold_at(known, 1e-10)
    assert how == "extrapolated"
    assert limit is not None
    assert limit < 0.4
    none = Calibration("dlib", 9, 0, 9, 9, "photos", 9, 9, 0.1, levels, None, (), (0.2, 0.1))
    assert threshold_at(none, 1e-10) == (None, "unreachable")


@pytest.mark.parametrize(
    "settings", [{"matchers": ()}, {"fmr": 0.0}, {"fmr": 0.5}, {"matchers": ("copy", "copy")}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        ScreenConfig(**settings)
