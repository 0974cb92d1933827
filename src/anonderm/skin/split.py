"""Which masks a skin network is trained on, which select its best step, and which test it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.splits import hold_out_people, train_and_val

_MAX_EVALUATED = 512
_HELD_OUT = 0.2


@dataclass(frozen=True, slots=True)
class Masks:
    """`unmasked` counts the faces of train and val that have no skin mask and are not used."""

    train: FaceSet
    val: FaceSet
    test: FaceSet
    unmasked: int


def split_masks(faces: FaceSet, seed: int) -> Masks:
    """Split by person; faces of split test serve for testing only.

    Without val faces, a fifth of the people is held out. Of more than 512 faces in val or test, every n-th is
    used. Raises TooFewImages.
    """
    masked = FaceSet(faces.folder, tuple(face for face in faces if face.mask is not None))
    rng = np.random.default_rng(seed)
    train, val = train_and_val(
        masked, lambda faces: hold_out_people(faces, round(_HELD_OUT * faces.people), rng)
    )
    if len(train) < 2 or len(val) == 0:
        raise TooFewImages(
            f"{faces.folder}: {len(masked)} of {len(faces)} faces have a skin mask: {len(train)} for "
            f"training and {len(val)} for validation.",
            "Give a FaceSet with masks: `anonderm phantom` draws one, `anonderm ingest` reads CelebAMask-HQ.",
        )
    unmasked = sum(face.mask is None and face.split != "test" for face in faces)
    return Masks(train, _thinned(val), _thinned(masked.where(split="test")), unmasked)


def _thinned(faces: FaceSet) -> FaceSet:
    every = -(-len(faces) // _MAX_EVALUATED) or 1
    return FaceSet(faces.folder, faces.faces[::every])
