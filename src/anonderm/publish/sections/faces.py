"""The report's sections on faces: samples of each class, and what screening and grading rejected."""

from collections import defaultdict

from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Bar, Bars, Block, Gallery, Picture, Row, Section, face_pictures
from anonderm.publish.pipeline import GENERATION, Pipeline, faces_of

_EXAMPLES = 8
# Reasons for rejection that have nothing to do with a photo; faces rejected for others may resemble one.
_SHAREABLE = ("artefact", "deformed", "duplicate", "ambiguous", "surplus")


def faces(pipeline: Pipeline) -> Section:
    """Samples of each class, synthetic beside real."""
    rows = [Row(galleries) for label in pipeline.labels if (galleries := _beside(pipeline, label))]
    lead = "Random samples, not a selection: equally many of each class, synthetic faces beside photos."
    if not pipeline.config.show_real:
        lead = "Random samples, not a selection. Real photos are left out of this copy."
    return Section("faces", "Faces", lead, rows)


def _beside(pipeline: Pipeline, label: str) -> tuple[Block, ...]:
    shown = {
        "real": pipeline.photos if pipeline.config.show_real else None,
        "synthetic": pipeline.synthetic,
    }
    galleries = []
    for tone, faces in shown.items():
        if faces and (of_label := faces.where(label=label)):
            count = pipeline.config.faces_per_class
            pictures = face_pictures(of_label, count, f"{tone} face", pipeline.rng())
            galleries.append(Gallery(f"{label}, {tone}", tuple((each,) for each in pictures), tone))
    return tuple(galleries)


def screening(pipeline: Pipeline) -> Section:
    """How many of the generated faces each step rejected, and why."""
    blocks = [block for record in pipeline.of(*GENERATION) for block in _steps(record, pipeline)]
    lead = "The generated faces after each step, with examples of those rejected for each reason."
    return Section("screening", "Screening and grading", lead, blocks)


def _steps(record: RunRecord, pipeline: Pipeline) -> list[Block | None]:
    kept, rejected = faces_of(record), faces_of(record, "rejected")
    total = len(kept or ()) + len(rejected or ())
    if not total:
        return []
    verb = "generated" if record.stage == "generate" else "kept"
    bars = [Bar.of(verb, len(kept or ()), total, "synthetic")]
    for code, faces in _by_reason(rejected).items():
        examples: tuple[Picture, ...] = ()
        if pipeline.config.show_real or code in _SHAREABLE:
            examples = face_pictures(faces, _EXAMPLES, f"rejected, {code}", pipeline.rng())
        bars.append(Bar.of(code, len(faces), total, "", examples))
    chart = _confidence(kept, rejected) if record.stage == "grade" else None
    return [Bars(f"{record.name} ({record.stage})", tuple(bars), _by_class(kept)), chart]


def _by_reason(rejected: FaceSet | None) -> dict[str, FaceSet]:
    """The rejected faces by the code that starts their reason, most frequent first."""
    ids: dict[str, list[str]] = defaultdict(list)
    for face in rejected or ():
        ids[(face.reason or "no reason").partition(":")[0]].append(face.id)
    ordered = sorted(ids.items(), key=lambda item: -len(item[1]))
    return {code: rejected.where(ids=set(found)) for code, found in ordered} if rejected else {}


def _by_class(kept: FaceSet | None) -> str:
    counts = kept.label_counts if kept else {}
    named = ", ".join(f"{count:,} {label}" for label, count in counts.items())
    return f"By class: {named}" if named else ""


def _confidence(kept: FaceSet | None, rejected: FaceSet | None) -> charts.Chart | None:
    groups = {
        name: [face.confidence for face in faces or () if face.confidence is not None]
        for name, faces in (("kept", kept), ("rejected", rejected))
    }
    title = "Confidence of the grader"
    return charts.histogram(title, groups, "probability of the predicted class", within=(0.0, 1.0))
