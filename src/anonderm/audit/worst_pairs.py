"""Worst cases as pictures: the synthetic face left, the photo that it comes too near to right. Not to be
published."""

from __future__ import annotations

from typing import Any

import numpy as np

from anonderm.audit.people import People
from anonderm.core.faceset import FaceSet
from anonderm.core.images import grid, resize, square, write_png
from anonderm.core.results.audit import Attack
from anonderm.core.rundir import RunDir

_SIDE = 256


def save_cases(
    attack: Attack, people: People, synthetic: FaceSet, most: int, run: RunDir
) -> list[dict[str, Any]]:
    """One picture a case, `most` at most: ids, distance and file, relative to the run folder.

    A pair that is the worst case of several attacks is one file.
    """
    saved = []
    for case in attack.worst[:most]:
        face, photo = synthetic.faces[case.synthetic], people.faces[case.real]
        file = f"pairs/{case.real:06d}-{case.synthetic:07d}.png"
        if not (run.folder / file).exists():
            sides = [
                resize(square(image), _SIDE) for image in (synthetic.image(face), people.image(case.real))
            ]
            write_png(run.folder / file, grid(np.stack(sides), columns=2))
        saved.append({"synthetic": face.id, "real": photo.id, "distance": case.distance, "file": file})
    return saved
