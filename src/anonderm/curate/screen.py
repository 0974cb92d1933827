"""screen: synthetic faces, without near-copies of training faces, artefacts, deformed faces and duplicates.

faces/        the faces that passed
rejected/     the others, each with a reason that begins with one of REASONS
limits.json   the limits, measured on the training faces

With `privacy`, faces that match a training subject are rejected too, and

privacy.json  records what each matcher did

`anonderm audit-screen` audits the faces before and after such a screen.
"""

# M synthetic faces, N training faces, S statistics, D features

import dataclasses
from collections import Counter

import numpy as np

from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import write_json
from anonderm.core.results import privacy_screen
from anonderm.core.rundir import RunDir
from anonderm.curate.config import ScreenConfig
from anonderm.curate.facespace import FaceSpace
from anonderm.curate.limits import Limits, calibrate, statistics
from anonderm.curate.privacy import match_training_subjects
from anonderm.curate.statistics import STATISTICS
from anonderm.embeddings.extractors import Embeddings, embed, embed_both_sides
from anonderm.metrics.pairwise import nearest, repeats

PERSON = "training-person"  # with `privacy` only
REASONS = ("training-copy", PERSON, "artefact", "deformed", "duplicate")

Reasons = dict[str, str]  # by face id


def screen(config: ScreenConfig, faces: FaceSet, training: FaceSet, run: RunDir) -> FaceSet:
    """Reject what should not be released; the limits come from the train split of `training`.

    Near-copies are checked first, then people, so that their numbers do not depend on the other checks. Of
    duplicates, the face with the lowest seed is kept. Raises TooFewImages if no face is left, and what
    curate.privacy raises.
    """
    if not len(faces):
        raise TooFewImages(f"{faces.folder}: no faces to screen.", "Generate some first.")
    train = training.where(split="train")
    size = faces.image(faces.faces[0]).shape[0]
    limits = calibrate(train, size, config)
    write_json(run.folder / "limits.json", dataclasses.asdict(limits))

    faces_MD, train_N2D = embed(faces, "thumbnail"), embed_both_sides(train, "thumbnail")
    of_people: Reasons = {}
    if config.privacy:
        record, of_people = match_training_subjects(config, faces, training, run)
        record.save(run.folder / privacy_screen.FILE)
    reasons: Reasons = {}
    for found in (
        _training_copies(faces, faces_MD, train, train_N2D, limits),
        of_people,
        _artefacts(faces, limits),
        _deformed(faces, faces_MD, train_N2D[:, 0], limits, config.pca_components),
    ):
        reasons = found | reasons
    reasons |= _duplicates(faces, faces_MD, reasons, limits)
    return _split(faces, reasons, config, run)


def _training_copies(
    faces: FaceSet, faces_MD: Embeddings, train: FaceSet, train_N2D: Embeddings, limits: Limits
) -> Reasons:
    """Faces nearer to a training face, or to its mirror image, than two people usually are."""
    found: Reasons = {}
    for side, what in enumerate(("training face", "the mirror image of training face")):
        near = nearest(faces_MD, train_N2D[:, side])
        for face, distance, row in zip(faces, near.distances_M, near.indices_M, strict=True):
            if distance < limits.copy and face.id not in found:
                copied = f"{what} {train.faces[row].id}"
                found[face.id] = f"training-copy: {distance:.3f} from {copied} (limit {limits.copy:.3f})"
    return found


def _artefacts(faces: FaceSet, limits: Limits) -> Reasons:
    """Faces with an image statistic outside the range of the training faces."""
    found: Reasons = {}
    for face, values_S in zip(faces, statistics(faces, limits.size), strict=True):
        for statistic, value in zip(STATISTICS, values_S, strict=True):
            low, high = limits.low[statistic.name], limits.high[statistic.name]
            side = "high" if value > high else "low" if low is not None and value < low else ""
            if side:
                number = np.exp(value) - statistic.floor
                found[face.id] = f"artefact: {statistic.name} too {side} ({number:.3g})"
                break
    return found


def _deformed(
    faces: FaceSet, faces_MD: Embeddings, train_ND: Embeddings, limits: Limits, components: int
) -> Reasons:
    """Faces far from the space of the training faces."""
    distances_M = FaceSpace.fit(train_ND, components).distance(faces_MD)
    return {
        face.id: f"deformed: {distance:.3f} from the face space (limit {limits.deformed:.3f})"
        for face, distance in zip(faces, distances_M, strict=True)
        if distance > limits.deformed
    }


def _duplicates(faces: FaceSet, faces_MD: Embeddings, rejected: Reasons, limits: Limits) -> Reasons:
    """Near-identical faces among those not rejected yet; the one with the lowest seed is kept."""
    passed = [(face, row) for face, row in zip(faces, faces_MD, strict=True) if face.id not in rejected]
    passed.sort(key=lambda each: (each[0].seed is None, each[0].seed or 0, each[0].id))
    ordered = [face for face, _ in passed]
    rows_MD = np.array([row for _, row in passed], np.float32).reshape(-1, faces_MD.shape[1])
    found = repeats(rows_MD, limits.duplicate)
    return {
        ordered[row].id: f"duplicate: {distance:.3f} from {ordered[first].id} (limit {limits.duplicate:.3f})"
        for row, (first, distance) in found.items()
    }


def _split(faces: FaceSet, reasons: Reasons, config: ScreenConfig, run: RunDir) -> FaceSet:
    kept, rejected = FaceSetWriter(run.folder / "faces"), FaceSetWriter(run.folder / "rejected")
    for face in run.progress(faces.faces, "copying faces"):
        writer = rejected if face.id in reasons else kept
        if face.id not in writer.done:
            writer.add_from(faces, dataclasses.replace(face, reason=reasons.get(face.id)))
    rejected.finish()
    counts = Counter(reason.partition(":")[0] for reason in reasons.values())
    checked = [code for code in REASONS if config.privacy or code != PERSON]
    funnel = ", ".join(f"{counts[code]} {code}" for code in checked)
    run.log(f"{len(faces)} faces: {funnel}; {len(faces) - len(reasons)} kept")
    if len(reasons) == len(faces):
        raise TooFewImages(
            f"Screening rejected all {len(faces)} faces ({funnel}); {run.folder / 'rejected'} shows them.",
            "Train the generator longer, or raise --deformed-factor and --artefact-margin"
            + (", or lower --fmr" if counts[PERSON] else "")
            + ", in another --out.",
        )
    return kept.finish()
