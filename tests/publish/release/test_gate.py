"""The gate: no release without an audit of this very set that passed, or a named override."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_audit import FAILED, audited
from made_up_release import write_release

from anonderm.core.errors import BrokenArtefact, InputError, ReleaseRefused
from anonderm.core.faceset import FaceSet
from anonderm.core.images import write_png
from anonderm.core.results.audit import AuditResult, Verdict
from anonderm.core.results.privacy_screen import ScreenAudit
from anonderm.core.results.verdict import verdicts
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.export import export
from anonderm.publish.release.gate import decide

OVERRIDE = {"override_name": "A. Steward", "override_reason": "a drill", "override_date": "2026-11-21"}


def faults(faces: FaceSet) -> dict[str, AuditResult | None]:
    """Audits that do not allow a release, by the reason."""
    passed = audited(faces)
    fewer = FaceSet(faces.folder, faces.faces[1:])
    return {
        "there is no audit of this set": None,
        FAILED: audited(faces, passed=False),
        "of another set of faces": audited(fewer),
        "other verdicts than follow from its numbers": replace(passed, images=Verdict(())),
    }


@pytest.mark.parametrize("index", range(4))
def test_an_audit_that_does_not_allow_it_stops_the_release_with_the_reason(
    faces: FaceSet, index: int
) -> None:
    reason, audit = list(faults(faces).items())[index]
    with pytest.raises(ReleaseRefused) as caught:
        decide(ExportConfig(), faces, audit)
    assert reason in str(caught.value)
    assert "--override-name" in caught.value.hint
    decision = decide(ExportConfig(**OVERRIDE), faces, audit)
    assert not decision.passed
    assert decision.override is not None


def test_every_failed_rule_is_listed(faces: FaceSet) -> None:
    audit = audited(FaceSet(faces.folder, faces.faces[1:]), passed=False)
    few = replace(audit, non_members=replace(audit.non_members, people=7))
    images, weights = verdicts(few)
    with pytest.raises(ReleaseRefused, match=r"another set[\s\S]*non-members[\s\S]*singling_out"):
        decide(ExportConfig(), faces, replace(few, images=images, weights=weights))


def forged(audit: AuditResult) -> dict[str, AuditResult]:
    """Failed audits whose file was edited to read as passed."""
    lenient = [replace(rule, passed=True) for rule in audit.images.rules]
    fewer = [rule for rule in audit.images.rules if rule.passed]
    raised = [replace(rule, passed=True, limit=0.9) for rule in audit.images.rules]
    innocent = [replace(rule, passed=True, value=0.0, low=0.0, high=0.0) for rule in audit.images.rules]
    edits = {"lenient": lenient, "fewer": fewer, "raised": raised, "innocent": innocent}
    return {name: replace(audit, images=Verdict(tuple(rules))) for name, rules in edits.items()}


@pytest.mark.parametrize("how", ["lenient", "fewer", "raised", "innocent"])
def test_an_edited_verdict_is_derived_anew_from_the_numbers(faces: FaceSet, how: str) -> None:
    with pytest.raises(ReleaseRefused, match=r"other verdicts[\s\S]*singling_out"):
        decide(ExportConfig(), faces, forged(audited(faces, passed=False))[how])


def test_an_audit_that_passed_needs_no_override_and_records_none(faces: FaceSet) -> None:
    decision = decide(ExportConfig(**OVERRIDE), faces, audited(faces))
    assert (decision.passed, decision.override) == (True, None)


def test_a_refused_release_writes_nothing_and_can_be_released_later(faces: FaceSet, tmp_path: Path) -> None:
    failed = audited(faces, passed=False)
    with pytest.raises(ReleaseRefused):
        write_release(tmp_path / "export", faces, failed)
    assert not (tmp_path / "export" / "release").exists()
    record = RunRecord.load(tmp_path / "export")
    assert record.content["status"] == "refused"
    assert FAILED in record.content["error"]
    assert (write_release(tmp_path / "export", faces, failed, **OVERRIDE) / "checksums.sha256").exists()


def test_an_override_is_recorded_in_every_document(faces: FaceSet, tmp_path: Path) -> None:
    release = write_release(tmp_path / "export", faces, audited(faces, passed=False), **OVERRIDE)
    for name in ("README.md", "croissant.json", "evidence.html", "evidence.json"):
        text = (release / name).read_text(encoding="utf-8")
        assert all(value in text for value in (*OVERRIDE.values(), FAILED)), name
    assert RunRecord.load(tmp_path / "export").config["override_name"] == "A. Steward"


def test_a_release_without_an_audit_states_so(faces: FaceSet, tmp_path: Path) -> None:
    config = ExportConfig(**OVERRIDE)
    with RunDir.open(tmp_path / "export", "export", config, {}) as run:
        release = export(config, faces, None, (), (), run).parent
    assert "They were not audited" in (release / "evidence.html").read_text(encoding="utf-8")
    assert "there is no audit of this set" in (release / "README.md").read_text(encoding="utf-8")


def test_another_result_than_an_audit_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'screen-audit' is not an audit"):
        write_release(tmp_path / "export", faces, ScreenAudit(True, True, (), None, ()))


def test_an_image_that_is_not_the_audited_one_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    """The manifest, and so the digest that the audit knows, stays as it was; the file does not."""
    swapped = tmp_path / "faces"
    (swapped / "images").mkdir(parents=True)
    for face in faces:
        write_png(swapped / face.file, faces.image(face))
    write_png(swapped / faces.faces[3].file, 255 - faces.image(faces.faces[3]))
    same = FaceSet(swapped, faces.faces)
    assert same.digest == faces.digest
    with pytest.raises(BrokenArtefact, match=faces.faces[3].id):
        write_release(tmp_path / "export", same)


def test_a_generator_that_is_named_by_a_path_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    named = (replace(faces.faces[0], checkpoint="/home/jane-doe/gan.pt"), *faces.faces[1:])
    with pytest.raises(InputError, match="no sha256"):
        write_release(tmp_path / "export", FaceSet(faces.folder, named))
