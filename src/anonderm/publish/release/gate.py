"""What may leave: faces that nothing but a generator made, and that an audit of this very set let pass."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from anonderm.core.errors import BadLabel, InputError, ReleaseRefused, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.names import is_plain
from anonderm.core.records import Face, Scores
from anonderm.publish.release.config import ExportConfig


@dataclass(frozen=True)
class Override:
    """A steward's decision to release against the audit."""

    name: str
    reason: str
    date: str


@dataclass(frozen=True)
class Decision:
    """Why the audit does not allow the release (nothing: it does), and who released it nevertheless."""

    faults: tuple[str, ...]
    override: Override | None = None

    @property
    def passed(self) -> bool:
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        override = asdict(self.override) if self.override else None
        return {"passed": self.passed, "faults": list(self.faults), "override": override}


def decide(config: ExportConfig, faces: FaceSet, audit: Scores | None) -> Decision:
    """Raises ReleaseRefused, naming every rule that failed, unless a steward overrides."""
    decision = _judge(config, faces, audit)
    if decision.faults and decision.override is None:
        listed = "".join(f"\n    {fault}" for fault in decision.faults)
        raise ReleaseRefused(
            f"{faces.folder}: not released, as the audit does not allow it:{listed}",
            "Screen the set or train anew, and audit again. A steward who answers for it may release it all "
            "the same: --override-name, --override-reason and --override-date, which the release will state.",
        )
    return decision


def reasons_in(refusal: str) -> list[str]:
    """The reasons that the text of a ReleaseRefused lists, as a run's record keeps it."""
    return [line.strip() for line in refusal.splitlines() if line.startswith("    ")]


def _judge(config: ExportConfig, faces: FaceSet, audit: Scores | None) -> Decision:
    """What the audit says, and the override where it is needed."""
    faults = tuple(_faults(faces, audit))
    override = Override(config.override_name, config.override_reason, config.override_date)
    return Decision(faults, override if faults and config.override_name else None)


def _faults(faces: FaceSet, audit: Scores | None) -> list[str]:
    if audit is None:
        return ["there is no audit of this set (give one with --audit)"]
    images = audit.details.get("verdicts", {}).get("images")
    if not isinstance(images, dict) or not isinstance(images.get("passed"), bool):
        return ["the audit gives no verdict on releasing images (make it with this version of anonderm)"]
    faults = []
    if audit.details.get("synthetic") != faces.digest:
        faults.append("the audit was of another set of faces than this one")
    if not images["passed"]:
        faults += [str(reason) for reason in images.get("reasons", ())] or [
            "the audit failed, and says not why"
        ]
    return faults


def refuse_real(faces: FaceSet) -> None:
    """Raise InputError, naming the first face that is, or may be, made from a photo.

    Also TooFewImages and BadLabel.
    """
    if not faces.faces:
        raise TooFewImages(f"{faces.folder}: no faces to export.", "Generate or keep more faces.")
    for face in faces:
        if reason := _not_synthetic(face):
            raise InputError(
                f"{faces.folder}: face {face.id} {reason}: only synthetic faces are exported.",
                "Give the output of generate, screen or grade.",
            )
        if face.label is None:
            raise BadLabel(f"{faces.folder}: face {face.id} has no label.", "Grade the faces first.")
        for name in (face.id, face.label):
            if not is_plain(name):
                raise InputError(f"{faces.folder}: face {face.id}: {name!r} cannot name a file or folder.")


def _not_synthetic(face: Face) -> str:
    if face.checkpoint is None or face.seed is None:
        return "was not drawn by a generator (no checkpoint or seed)"
    if face.subject is not None or face.split is not None:
        return f"belongs to a person or a split of photos ({face.subject or face.split})"
    if face.parents:
        return "was made from other pictures (it has parents)"
    return ""
