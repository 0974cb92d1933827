"""phantom: fictitious people -> FaceSet.

faces/        the FaceSet, with skin masks and lesion boxes
examples.png  some faces of each class, one class per row
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import grid, write_png
from anonderm.core.records import Face, order_labels
from anonderm.core.rundir import RunDir
from anonderm.core.splits import assign_splits
from anonderm.ingest.config import PhantomConfig
from anonderm.phantom.condition import sample_condition
from anonderm.phantom.draw import Drawing, draw
from anonderm.phantom.person import sample_person
from anonderm.phantom.photo import sample_photo

SOURCE, LICENCE = "anonderm phantom", "Apache-2.0"
TRUE_SCALE_SIZE = 512
_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Sitting:
    """A photo to draw: the person, which of their photos, and the person's class."""

    person: int
    photo: int
    severity: str

    @property
    def subject(self) -> str:
        return f"p{self.person:06d}"

    @property
    def id(self) -> str:
        return f"{self.subject}-{self.photo:02d}"


def phantom(config: PhantomConfig, run: RunDir) -> FaceSet:
    """Draw every photo of every person into `faces/`; a resumed run continues with the missing photos."""
    sittings = list(_sittings(config))
    scale = lesion_scale(config)
    if scale != 1:
        reason = "as set" if config.lesion_scale else f"as few would be visible at {config.size} px"
        run.log(f"lesions are drawn {scale:.1f} times their true size, {reason}")
    subjects, labels = [each.subject for each in sittings], [each.severity for each in sittings]
    rng = np.random.default_rng(config.seed)
    splits = assign_splits(subjects, labels, config.val_share, config.test_share, rng)
    writer = FaceSetWriter(run.folder / "faces")
    missing = [sitting for sitting in sittings if sitting.id not in writer.done]
    for sitting in run.progress(missing, "drawing phantoms"):
        drawing = take(config, sitting)
        face = Face(
            id=sitting.id,
            label=sitting.severity,
            subject=sitting.subject,
            split=splits[sitting.subject],
            source=SOURCE,
            licence=LICENCE,
            ita=drawing.ita,
            identified_by="source",
            lesions=drawing.lesions,
        )
        writer.add(drawing.image, face, drawing.skin)
    faces = writer.finish()
    _write_examples(faces, run)
    run.log(f"{len(faces)} photos of {config.people} people: {', '.join(order_labels(config.classes))}")
    return faces


def lesion_scale(config: PhantomConfig) -> float:
    """The setting, or by default a scale that increases below 512 px: 2.8 at 64 px."""
    if config.lesion_scale is not None:
        return config.lesion_scale
    return max(1.0, math.sqrt(TRUE_SCALE_SIZE / config.size))


def take(config: PhantomConfig, sitting: Sitting) -> Drawing:
    """Draw one photo, which depends only on its own numbers and the settings."""
    rng = np.random.default_rng((config.seed, sitting.person, 0, 2))
    person = sample_person(rng)
    condition = sample_condition(rng, sitting.severity)
    photo = sample_photo(np.random.default_rng((config.seed, sitting.person, sitting.photo + 1)))
    return draw(person, photo, condition, config.size, lesion_scale(config))


def _sittings(config: PhantomConfig) -> Iterator[Sitting]:
    for person in range(config.people):
        severity = config.classes[person % len(config.classes)]
        # A separate stream, so that people do not change with the number of photos.
        counts = np.random.default_rng((config.seed, person, 0, 1))
        for photo in range(int(counts.integers(config.photos_min, config.photos_max + 1))):
            yield Sitting(person, photo, severity)


def _write_examples(faces: FaceSet, run: RunDir) -> None:
    examples = []
    for label in faces.labels:
        of_class = faces.where(label=label).faces
        shown = [faces.image(face) for face in of_class[:_EXAMPLES]]
        blank = np.full_like(shown[0], 255)
        examples += shown + [blank] * (_EXAMPLES - len(shown))
    write_png(run.folder / "examples.png", grid(np.stack(examples), _EXAMPLES))
