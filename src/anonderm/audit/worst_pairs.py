"""Worst cases as pictures: a synthetic face on the left, the nearest real photo on the right.

Not for publication.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from anonderm.audit.people import People
from anonderm.core.faceset import FaceSet
from anonderm.core.images import grid, resize, square, write_png
from anonderm.core.results.audit import Attack
from anonderm.core.rundir import RunDir

_SIDE = 256


def save_worst_pairs(attack: Attack, people: People, synthetic: FaceSet, most: int, run: RunDir) -> Attack:
    """The attack with at most `most` worst pairs, each with its ids and a picture in the run folder.

    A pair that several attacks share is one file.
    """
    saved = []
    for pair in attack.worst[:most]:
        face, photo = synthetic.faces[pair.synthetic], people.faces[pair.real]
        file = f"pairs/{pair.real:06d}-{pair.synthetic:07d}.png"
        if not (run.folder / file).exists():
            sides = [
                resize(square(image), _SIDE) for image in (synthetic.image(face), people.image(pair.real))
            ]
            write_png(run.folder / file, grid(np.stack(sides), columns=2))
        saved.append(dataclasses.replace(pair, real_id=photo.id, synthetic_id=face.id, file=file))
    return dataclasses.replace(attack, worst=tuple(saved))
