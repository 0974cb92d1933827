"""Which masks a skin network learns from, which choose its best step, and which test it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.splits import hold_out_people, train_and_val

_MOST_JUDGED = 512
_HELD_OUT = 0.2


@dataclass(frozen=True, slots=True)
class Masks:
    """`unmasked` counts the faces of train and val that have no skin mask and are not used."""

    learn: FaceSet
    choose: FaceSet
    test: FaceSet
    unmasked: int


def split_masks(faces: FaceSet, seed: int) -> Masks:
    """Nobody is in two parts, and no face of split test is learned from or chosen by.

    Without val faces, a fifth of the people is held out. Of more than 512 faces to choose or to test by,
    every n-th is taken. Raises TooFewImages.
    """
    masked = FaceSet(faces.folder, tuple(face for face in faces if face.mask is not None))
    rng = np.random.default_rng(seed)
    learn, choose = train_and_val(
        masked, lambda train: hold_out_people(train, round(_HELD_OUT * train.people), rng)
    )
    if len(learn) < 2 or len(choose) == 0:
        raise TooFewImages(
            f"{faces.folder}: {len(masked)} of {len(faces)} faces have a skin mask, {len(learn)} of them to "
            f"learn from and {len(choose)} to choose the best step by.",
            "Give a FaceSet with masks: `anonderm phantom` draws one, `anonderm ingest` reads CelebAMask-HQ.",
        )
    unmasked = len(faces.where(split=("train", "val", None))) - len(
        masked.where(split=("train", "val", None))
    )
    return Masks(learn, _thinned(choose), _thinned(masked.where(split="test")), unmasked)


def _thinned(faces: FaceSet) -> FaceSet:
    every = -(-len(faces) // _MOST_JUDGED) or 1
    return FaceSet(faces.folder, faces.faces[::every])
