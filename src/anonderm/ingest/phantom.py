"""phantom: made-up people -> FaceSet.

faces/        the FaceSet, with skin masks and lesion boxes
examples.png  some faces of each class, a class a row
"""

from __future__ import annotations

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
    """One photo to take: which person, which of their photos, and the person's class."""

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
    """Draw every photo of every person into `faces/`; a resumed run goes on with the photos it lacks."""
    sittings = list(_sittings(config))
    scale = lesion_scale(config)
    if scale != 1:
        reason = "as asked" if config.lesion_scale else f"because few would show at {config.size} px"
        run.log(f"lesions drawn {scale:.1f} times their true size, {reason}")
    rng = np.random.default_rng(config.seed)
    splits = assign_splits(
        [sitting.subject for sitting in sittings],
        [sitting.severity for sitting in sittings],
        config.val_share,
        config.test_share,
        rng,
    )
    writer = FaceSetWriter(run.folder / "faces")
    done = writer.done
    missing = [sitting for sitting in sittings if sitting.id not in done]
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
            lesions=drawing.lesions,
        )
        writer.add(drawing.image, face, drawing.skin)
    faces = writer.finish()
    _write_examples(faces, run)
    run.log(f"{len(faces)} photos of {config.people} people: {', '.join(order_labels(config.classes))}")
    return faces


def lesion_scale(config: PhantomConfig) -> float:
    """The setting, or else a scale that grows as pictures shrink below 512 px: 2.8 at 64 px."""
    if config.lesion_scale is not None:
        return config.lesion_scale
    return max(1.0, math.sqrt(TRUE_SCALE_SIZE / config.size))


def take(config: PhantomConfig, sitting: Sitting) -> Drawing:
    """Draw one photo; it depends on its own numbers and the settings only, not on what else is drawn."""
    of_person = _person_rng(config, sitting.person)
    person = sample_person(of_person)
    condition = sample_condition(of_person, sitting.severity)
    photo = sample_photo(np.random.default_rng((config.seed, sitting.person, sitting.photo + 1)))
    return draw(person, photo, condition, config.size, lesion_scale(config))


def _sittings(config: PhantomConfig) -> Iterator[Sitting]:
    for person in range(config.people):
        severity = config.classes[person % len(config.classes)]
        # A stream of its own, so that people stay who they are when the number of photos changes.
        counts = np.random.default_rng((config.seed, person, 0, 1))
        for photo in range(int(counts.integers(config.photos_min, config.photos_max + 1))):
            yield Sitting(person, photo, severity)


def _person_rng(config: PhantomConfig, person: int) -> np.random.Generator:
    return np.random.default_rng((config.seed, person, 0, 2))


def _write_examples(faces: FaceSet, run: RunDir) -> None:
    examples = []
    for label in faces.labels:
        of_class = faces.where(label=label).faces
        shown = [faces.image(face) for face in of_class[:_EXAMPLES]]
        blank = np.full_like(shown[0], 255)
        examples += shown + [blank] * (_EXAMPLES - len(shown))
    write_png(run.folder / "examples.png", grid(np.stack(examples), _EXAMPLES))
