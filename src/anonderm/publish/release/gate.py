"""What may be released: purely synthetic faces whose own audit passed."""

from dataclasses import dataclass

from anonderm.core.errors import BadLabel, InputError, ReleaseRefused, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.names import is_plain
from anonderm.core.records import Face
from anonderm.core.results.audit import AuditResult
from anonderm.core.results.verdict import verdicts
from anonderm.publish.release.config import ExportConfig


@dataclass(frozen=True)
class Override:
    """A decision to release although the audit does not allow it."""

    name: str
    reason: str
    date: str


@dataclass(frozen=True)
class Decision:
    """Why the audit does not allow the release (empty if it does), and who overrode it."""

    faults: tuple[str, ...]
    override: Override | None = None

    @property
    def passed(self) -> bool:
        return not self.faults


def decide(config: ExportConfig, faces: FaceSet, audit: AuditResult | None) -> Decision:
    """Raises ReleaseRefused, with every rule that failed, unless the decision is overridden."""
    faults = tuple(_faults(faces, audit))
    if not faults:
        return Decision(())
    if config.override_name:
        override = Override(config.override_name, config.override_reason, config.override_date)
        return Decision(faults, override)
    listed = "".join(f"\n    {fault}" for fault in faults)
    raise ReleaseRefused(
        f"{faces.folder}: not released, because the audit does not allow it:{listed}",
        "Screen the faces or train again, and repeat the audit. A responsible person may override it with "
        "--override-name, --override-reason and --override-date; the release states all three.",
    )


def reasons_in(refusal: str) -> list[str]:
    """The reasons in the message of a ReleaseRefused, as a run's record keeps it."""
    return [line.strip() for line in refusal.splitlines() if line.startswith("    ")]


def _faults(faces: FaceSet, audit: AuditResult | None) -> list[str]:
    if audit is None:
        return ["there is no audit of this set (give one with --audit)"]
    faults = []
    derived = verdicts(audit)
    if (audit.images, audit.weights) != derived:
        faults.append("the audit states other verdicts than follow from its numbers and limits")
    if audit.synthetic != faces.digest:
        faults.append("the audit is of another set of faces")
    return [*faults, *derived[0].reasons]


def refuse_real(faces: FaceSet) -> None:
    """Raise InputError, naming the first face that is or may be made from a photo.

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
                raise InputError(
                    f"{faces.folder}: face {face.id}: {name!r} cannot name a file or folder.",
                    "Generate the faces again with plain names.",
                )


def _not_synthetic(face: Face) -> str:
    if face.checkpoint is None or face.seed is None:
        return "was not generated (it has no checkpoint or seed)"
    if face.subject is not None or face.split is not None:
        return f"belongs to a person or a split ({face.subject or face.split})"
    if face.parents:
        return "was made from other images (it has parents)"
    return ""
