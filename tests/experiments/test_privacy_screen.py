"""The audits before and after a privacy screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.curate.quick_matchers import Brightness, Noise, people, portraits, written

from anonderm.audit.config import AuditConfig
from anonderm.core.errors import InputError, MissingExtra
from anonderm.core.faceset import FaceSet
from anonderm.core.results.audit import (
    Arm,
    Attack,
    AuditResult,
    Excess,
    Limits,
    MatcherCalibration,
    Side,
    Verdict,
)
from anonderm.core.results.privacy_screen import PrivacyScreen, ScreenAudit, ScreeningMatcher
from anonderm.core.rundir import RunRecord
from anonderm.curate.config import ScreenConfig
from anonderm.embeddings.matchers import registry
from anonderm.embeddings.matchers.matcher import Matcher
from anonderm.experiments import privacy_screen
from anonderm.stages import STAGES, run_stage

SCREEN = {"artefact_margin": 100.0, "deformed_factor": 100.0, "copy_quantile": 0.0, "duplicate_factor": 0.0}


@pytest.fixture
def _matchers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two matchers, of which one is uninformative; the others are not installed."""

    def made(name: str, arcface: str = "") -> Matcher:
        if name in ("dlib", "sface"):
            raise MissingExtra(f"{name} is not installed.")
        return Brightness() if name == "copy" else Noise()

    monkeypatch.setattr(registry, "make_matcher", made)
    monkeypatch.setattr("anonderm.curate.screen._training_copies", lambda *_: {})


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    return people(tmp_path_factory.mktemp("real") / "faces")


def copying(real: FaceSet, folder: Path, unrelated: int, every: int) -> FaceSet:
    """Unrelated faces, and a photo of one in so many training faces."""
    stolen = [real.image(face) for face in real.where(split="train").faces[::every]]
    return written(folder, portraits()[:unrelated] + stolen)


def screened(faces: FaceSet, real: FaceSet, out: Path, **settings) -> RunRecord:
    config = ScreenConfig(**{**SCREEN, "privacy": True, **settings})
    return run_stage(STAGES["screen"], config, {"faces": faces.folder, "training": real.folder}, out)


def audited(faces: FaceSet, real: FaceSet, screen: Path, out: Path) -> ScreenAudit:
    inputs = {"faces": faces.folder, "screen": screen, "real": real.folder}
    run_stage(STAGES["audit-screen"], AuditConfig(canaries=20), inputs, out)
    return ScreenAudit.load(out / "results.json")


@pytest.mark.usefixtures("_matchers")
def test_both_arms_are_compared_before_and_after(real: FaceSet, tmp_path: Path):
    """Half of the training subjects are in the set: the audit finds them before, and none of them after."""
    faces = copying(real, tmp_path / "syn", 100, 4)
    screened(faces, real, tmp_path / "screen", fmr=0.01)
    result = audited(faces, real, tmp_path / "screen", tmp_path / "run")
    found = {each.after.key: each for each in result.comparisons}
    single = found["singling_out[copy]/FMR 1%"]
    assert single.by_construction
    assert single.before.main.value >= 0.5
    assert single.after.main.value == 0
    assert single.before.control
    assert single.after.control
    assert 0 < single.after.control.value <= single.before.control.value
    assert single.after.excess.value < 0 < single.before.excess.value
    assert not any(each.after.matcher == "encoder" for each in result.comparisons)  # uninformative
    assert not result.before_passed
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "by construction" in log
    assert "none checks the screen independently" in log
    assert result.independent_matchers == ()


@pytest.mark.usefixtures("_matchers")
def test_the_second_audit_is_of_the_faces_kept_and_carries_the_caveat(real: FaceSet, tmp_path: Path):
    faces = copying(real, tmp_path / "syn", 100, 4)
    screened(faces, real, tmp_path / "screen", fmr=0.01)
    audited(faces, real, tmp_path / "screen", tmp_path / "run")
    after = AuditResult.load(tmp_path / "run" / "after" / "results.json")
    assert "holds by construction" in after.left_out[0].reason
    assert after.synthetic == FaceSet.load(tmp_path / "screen" / "faces").digest
    before = AuditResult.load(tmp_path / "run" / "before" / "results.json")
    assert not any("by construction" in each.reason for each in before.left_out)


@pytest.mark.usefixtures("_matchers")
def test_a_stop_in_the_second_audit_resumes_without_repeating_the_first(
    real: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    faces = copying(real, tmp_path / "syn", 60, 80)
    screened(faces, real, tmp_path / "screen")
    audits: list[int] = []
    usual = STAGES["audit"].load_function()

    def stopping(*, synthetic: FaceSet, **inputs) -> AuditResult:
        audits.append(len(synthetic))
        if len(audits) == 2:
            raise KeyboardInterrupt
        return usual(synthetic=synthetic, **inputs)

    monkeypatch.setattr("anonderm.audit.audit.audit", stopping)
    with pytest.raises(KeyboardInterrupt):
        audited(faces, real, tmp_path / "screen", tmp_path / "run")
    audited(faces, real, tmp_path / "screen", tmp_path / "run")
    kept = len(FaceSet.load(tmp_path / "screen" / "faces"))
    assert audits == [61, kept, kept]


@pytest.mark.usefixtures("_matchers")
def test_other_faces_than_those_screened_are_refused(real: FaceSet, tmp_path: Path):
    faces = copying(real, tmp_path / "syn", 60, 80)
    screened(faces, real, tmp_path / "screen")
    other = copying(real, tmp_path / "other", 30, 80)
    with pytest.raises(InputError, match="did not screen"):
        audited(other, real, tmp_path / "screen", tmp_path / "run")
    inputs = {"synthetic": other.folder, "screen": tmp_path / "screen", "real": real.folder}
    with pytest.raises(InputError, match="did not keep all faces"):
        run_stage(STAGES["audit"], AuditConfig(canaries=20), inputs, tmp_path / "audit")


def attack(name: str, matcher: str, level: str, excess: Excess, threshold: float | None = None) -> Attack:
    arm = Arm(0.5, 0.4, 0.6, 10, 5)
    return Attack(name, matcher, level, arm, arm, None, excess, threshold=threshold)


def made_up(attacks: list[Attack]) -> AuditResult:
    return AuditResult(
        synthetic="",
        synthetic_faces=10,
        members=Side(10, 10),
        non_members=Side(10, 10),
        unidentified=0,
        limits=Limits(),
        images=Verdict(()),
        weights=None,
        matchers=tuple(calibration(name) for name in ("dlib", "copy")),
        canaries=(),
        attacks=tuple(attacks),
        tones=(),
        repeats=(),
        left_out=(),
    )


def calibration(matcher: str) -> MatcherCalibration:
    return MatcherCalibration(matcher, 9, 0, 9, 9, "photos", 9, 9, 0.1, (), None, (), None, None)


def selecting(*matchers: str) -> PrivacyScreen:
    used = tuple(ScreeningMatcher(name, 1.0, "measured", None, 3, 0, 0) for name in matchers)
    return PrivacyScreen(0.001, used, (), 3)


def test_only_a_selecting_matcher_at_its_threshold_or_below_finds_nobody_by_construction():
    levels = {"FMR 0.1%": 1.0, "FMR 1%": 1.5}
    attacks = [
        attack("singling_out", matcher, level, Excess(0, -1, 1, -1), threshold)
        for matcher in ("dlib", "copy")
        for level, threshold in levels.items()
    ]
    audit = made_up(attacks)
    result = privacy_screen.compare(audit, audit, selecting("copy"))
    chosen = [each.after.key for each in result.comparisons if each.by_construction]
    assert chosen == ["singling_out[copy]/FMR 0.1%"]
    assert result.independent_matchers == ("dlib",)


def test_the_gap_that_a_filter_leaves_is_logged():
    audit = made_up([attack("membership", "dlib", "AUC", Excess(-0.2, -0.3, -0.1, -0.3))])
    result = privacy_screen.compare(audit, audit, selecting("copy"))
    assert any("leaves a gap: dlib" in line for line in privacy_screen.lines(result))
